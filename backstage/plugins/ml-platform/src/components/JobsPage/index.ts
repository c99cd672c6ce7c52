export * from './JobsPage';
