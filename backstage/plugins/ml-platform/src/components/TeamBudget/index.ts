export * from './TeamBudget';
