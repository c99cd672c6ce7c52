export * from './AllJobsLink';
