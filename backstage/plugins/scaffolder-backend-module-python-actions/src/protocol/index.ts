export * from './failures';
export * from './messages';
