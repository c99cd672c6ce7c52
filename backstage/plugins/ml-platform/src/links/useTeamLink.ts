import { parseEntityRef } from '@backstage/catalog-model';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import { Team } from '@internal/plugin-ml-platform-common';
import { entityRouteRef } from '../routes';

/** Address of the team's page in the catalog; undefined in an app without one. */
export function useTeamLink(team: Team): string | undefined {
  const route = useRouteRef(entityRouteRef);
  return route?.(parseEntityRef(team.group));
}
