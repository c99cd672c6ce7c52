import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import {
  ML_PLATFORM_PLUGIN_ID,
  mlPlatformPermissions,
} from '@internal/plugin-ml-platform-common';
import { DefaultJobService } from './service/JobService';
import { createRouter } from './service/router';

/** Authorises and carries the job API of the ML Platform service. */
export const mlPlatformPlugin = createBackendPlugin({
  pluginId: ML_PLATFORM_PLUGIN_ID,
  register(env) {
    env.registerInit({
      deps: {
        auth: coreServices.auth,
        config: coreServices.rootConfig,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        logger: coreServices.logger,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
      },
      async init({ permissionsRegistry, httpRouter, ...services }) {
        permissionsRegistry.addPermissions(mlPlatformPermissions);
        const jobs = DefaultJobService.create(services);
        httpRouter.use(createRouter({ ...services, jobs }));
        // An iframe cannot send a header; everything else is asked for with one.
        httpRouter.addAuthPolicy({ path: '/previews', allow: 'user-cookie' });
      },
    });
  },
});
