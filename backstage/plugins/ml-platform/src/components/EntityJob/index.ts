export * from './EntityJob';
