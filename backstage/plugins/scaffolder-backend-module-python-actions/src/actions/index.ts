export * from './ActionRunner';
export * from './ServiceActions';
export * from './createPythonAction';
