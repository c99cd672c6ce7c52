import { createBackendModule } from '@backstage/backend-plugin-api';

/** Lends the actions of Python services to the scaffolder. */
export const pythonActionsModule = createBackendModule({
  pluginId: 'scaffolder',
  moduleId: 'python-actions',
  register(env) {
    env.registerInit({ deps: {}, async init() {} });
  },
});
