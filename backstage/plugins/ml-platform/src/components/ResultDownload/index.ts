export * from './ResultDownload';
