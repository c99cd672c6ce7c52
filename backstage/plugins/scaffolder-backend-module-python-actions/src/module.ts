import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { actionsRegistryServiceRef } from '@backstage/backend-plugin-api/alpha';
import { scaffolderActionsExtensionPoint } from '@backstage/plugin-scaffolder-node';
import { PythonActions } from './PythonActions';

/** Lends the actions of Python services to the scaffolder. */
export const pythonActionsModule = createBackendModule({
  pluginId: 'scaffolder',
  moduleId: 'python-actions',
  register(env) {
    env.registerInit({
      deps: {
        auth: coreServices.auth,
        config: coreServices.rootConfig,
        database: coreServices.database,
        logger: coreServices.logger,
        scheduler: coreServices.scheduler,
        registry: actionsRegistryServiceRef,
        scaffolder: scaffolderActionsExtensionPoint,
      },
      async init({ scaffolder, ...services }) {
        const pythonActions = await PythonActions.create(services);
        scaffolder.addActions(...(await pythonActions.load()));
        await pythonActions.keepFresh();
      },
    });
  },
});
