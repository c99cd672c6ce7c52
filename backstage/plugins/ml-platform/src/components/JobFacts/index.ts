export * from './JobFacts';
