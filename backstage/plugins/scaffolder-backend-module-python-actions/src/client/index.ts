export * from './PythonServiceClient';
