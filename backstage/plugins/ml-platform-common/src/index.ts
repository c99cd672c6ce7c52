/** Permissions, types and names that the portal's frontend and backend share. */
export * from './api';
export * from './entity';
export * from './permissions';
