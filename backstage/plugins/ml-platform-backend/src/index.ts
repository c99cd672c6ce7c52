export { mlPlatformFeatures as default } from './features';
export { mlPlatformPlugin } from './plugin';
export { catalogModuleTrainingJobs } from './catalog/catalogModule';
