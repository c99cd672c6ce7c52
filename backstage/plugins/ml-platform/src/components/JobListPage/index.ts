export * from './JobListPage';
