export * from './ParameterTable';
