import { createBackendFeatureLoader } from '@backstage/backend-plugin-api';
import { catalogModuleTrainingJobs } from './catalog/catalogModule';
import { mlPlatformPlugin } from './plugin';

/** The plugin together with its part of the catalog: neither is of use without the other. */
export const mlPlatformFeatures = createBackendFeatureLoader({
  loader: () => [mlPlatformPlugin, catalogModuleTrainingJobs],
});
