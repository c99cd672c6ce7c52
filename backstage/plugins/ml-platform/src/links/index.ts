export * from './useTeamLink';
export * from './useTemplateLink';
