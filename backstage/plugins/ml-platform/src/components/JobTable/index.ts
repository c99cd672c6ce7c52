export * from './JobTable';
