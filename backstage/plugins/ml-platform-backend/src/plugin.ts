import { createBackendPlugin } from '@backstage/backend-plugin-api';

/** Authorises and carries the job API of the ML Platform service. */
export const mlPlatformPlugin = createBackendPlugin({
  pluginId: 'ml-platform',
  register(env) {
    env.registerInit({ deps: {}, async init() {} });
  },
});
