export * from './JobView';
