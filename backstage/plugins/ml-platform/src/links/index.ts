export * from './useTemplateLink';
