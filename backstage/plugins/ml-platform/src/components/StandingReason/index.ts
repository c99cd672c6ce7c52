export * from './StandingReason';
