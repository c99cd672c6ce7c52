export * from './ActionMemory';
