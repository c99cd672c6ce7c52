export * from './TeamJobs';
