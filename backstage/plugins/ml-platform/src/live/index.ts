export * from './useJob';
export * from './useJobList';
export * from './useLoaded';
export * from './useLog';
export * from './useMetrics';
export * from './useRepeatedly';
export * from './useResults';
export * from './useTeams';
