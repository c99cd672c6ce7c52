import { createBackendModule } from '@backstage/backend-plugin-api';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { SignedInUsersPolicy } from './SignedInUsersPolicy';

export const permissionModule = createBackendModule({
  pluginId: 'permission',
  moduleId: 'signed-in-users-policy',
  register(env) {
    env.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        policy.setPolicy(new SignedInUsersPolicy());
      },
    });
  },
});
