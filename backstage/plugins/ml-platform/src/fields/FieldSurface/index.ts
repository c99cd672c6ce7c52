export * from './FieldSurface';
