/** The job pages over fixtures, without a backend: `yarn start` in this folder. */
import {
  ApiBlueprint,
  createFrontendModule,
} from '@backstage/frontend-plugin-api';
import { createDevApp } from '@backstage/frontend-dev-utils';
import { Entity } from '@backstage/catalog-model';
import catalogPlugin from '@backstage/plugin-catalog/alpha';
import { catalogApiRef } from '@backstage/plugin-catalog-react';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { teams } from '@internal/plugin-ml-platform-common/fixtures';
import plugin from '../src';
import { jobApiRef } from '../src/api';
import { FakeJobApi } from '../src/__testUtils__';

const groups: Entity[] = teams.map(team => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Group',
  metadata: { name: team.name, namespace: 'default' },
  spec: { type: 'team', profile: { displayName: team.title }, children: [] },
}));

const fixtures = createFrontendModule({
  pluginId: 'ml-platform',
  extensions: [
    ApiBlueprint.make({
      params: defineParams =>
        defineParams({
          api: jobApiRef,
          deps: {},
          factory: () => new FakeJobApi(),
        }),
    }),
  ],
});

/** `/catalog/default/group/stellarator-design` is a team's page. */
const catalogFixtures = createFrontendModule({
  pluginId: 'catalog',
  extensions: [
    ApiBlueprint.make({
      params: defineParams =>
        defineParams({
          api: catalogApiRef,
          deps: {},
          factory: () => catalogApiMock({ entities: groups }),
        }),
    }),
  ],
});

createDevApp({ features: [plugin, fixtures, catalogPlugin, catalogFixtures] });
