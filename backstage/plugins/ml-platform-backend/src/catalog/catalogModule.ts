import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import { TrainingJobEntityProvider } from './TrainingJobEntityProvider';

/** Shows training jobs, workloads and pools in the catalog. */
export const catalogModuleTrainingJobs = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'training-jobs',
  register(env) {
    env.registerInit({
      deps: {
        auth: coreServices.auth,
        catalog: catalogProcessingExtensionPoint,
        config: coreServices.rootConfig,
        discovery: coreServices.discovery,
        lifecycle: coreServices.lifecycle,
        logger: coreServices.logger,
      },
      async init({ catalog, lifecycle, ...services }) {
        const provider = TrainingJobEntityProvider.create(services);
        catalog.addEntityProvider(provider);
        lifecycle.addStartupHook(() => provider.start());
        lifecycle.addShutdownHook(() => provider.stop());
      },
    });
  },
});
