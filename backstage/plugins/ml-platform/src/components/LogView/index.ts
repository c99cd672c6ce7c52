export * from './LogView';
