export * from './FailureCause';
