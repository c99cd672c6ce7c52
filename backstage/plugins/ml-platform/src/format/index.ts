export * from './time';
export * from './value';
