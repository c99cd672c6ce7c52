import {
  catalogConditions,
  createCatalogConditionalDecision,
} from '@backstage/plugin-catalog-backend/alpha';
import {
  AuthorizeResult,
  PolicyDecision,
  isResourcePermission,
} from '@backstage/plugin-permission-common';
import {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';

const { hasSpec, isEntityKind, isEntityOwner } = catalogConditions;

/**
 * Signed-in users may use the portal. Who may touch which job is decided in the platform service,
 * which every way in passes through. The catalog and search have copies of their own of what jobs
 * there are, so the same rule holds there: a job is its team's.
 */
export class SignedInUsersPolicy implements PermissionPolicy {
  async handle(
    { permission }: PolicyQuery,
    user?: PolicyQueryUser,
  ): Promise<PolicyDecision> {
    if (!user) {
      return { result: AuthorizeResult.DENY };
    }
    if (isResourcePermission(permission, 'catalog-entity')) {
      return createCatalogConditionalDecision(permission, {
        anyOf: [
          // The template that starts jobs has their type too, and is for everybody.
          { not: isEntityKind({ kinds: ['Resource'] }) },
          { not: hasSpec({ key: 'type', value: 'training-job' }) },
          isEntityOwner({ claims: user.info.ownershipEntityRefs }),
        ],
      });
    }
    return { result: AuthorizeResult.ALLOW };
  }
}
