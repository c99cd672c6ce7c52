export * from './DefaultJobApi';
export * from './JobApi';
export * from './JobApiError';
