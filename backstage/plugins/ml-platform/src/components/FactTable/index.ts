export * from './FactTable';
