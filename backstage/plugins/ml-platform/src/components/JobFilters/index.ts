export * from './JobFilters';
