export * from './EntityJobLayout';
