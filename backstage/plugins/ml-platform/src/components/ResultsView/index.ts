export * from './ResultsView';
