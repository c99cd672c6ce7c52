export * from './ToolRegistrar';
