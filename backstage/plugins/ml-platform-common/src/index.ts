/** Permissions, types and names that the portal's frontend and backend share. */
export * from './api';
export type { paths as JobApiPaths } from './api/openapi';
export * from './entity';
export * from './permissions';
