export * from './FakeJobApi';
export * from './renderWithJobs';
