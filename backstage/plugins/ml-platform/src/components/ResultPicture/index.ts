export * from './ResultPicture';
