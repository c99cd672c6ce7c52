export * from './schemas';
export * from './readServerSentEvents';
