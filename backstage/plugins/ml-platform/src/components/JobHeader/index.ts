export * from './JobHeader';
