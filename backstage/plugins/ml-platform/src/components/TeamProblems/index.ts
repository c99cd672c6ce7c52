export * from './TeamProblems';
