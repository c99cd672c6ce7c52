import {
  AuthorizeResult,
  createPermission,
} from '@backstage/plugin-permission-common';
import { mockCredentials } from '@backstage/backend-test-utils';
import { SignedInUsersPolicy } from './SignedInUsersPolicy';

const request = {
  permission: createPermission({ name: 'catalog.refresh', attributes: {} }),
};

test('a signed-in user may use the portal', async () => {
  const user = {
    credentials: mockCredentials.user(),
    info: { userEntityRef: 'user:default/ada', ownershipEntityRefs: [] },
  };
  await expect(
    new SignedInUsersPolicy().handle(request, user),
  ).resolves.toEqual({ result: AuthorizeResult.ALLOW });
});

test('a caller without a user may not', async () => {
  await expect(new SignedInUsersPolicy().handle(request)).resolves.toEqual({
    result: AuthorizeResult.DENY,
  });
});
