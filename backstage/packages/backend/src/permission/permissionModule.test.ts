import { authServiceFactory } from '@backstage/backend-defaults/auth';
import { httpAuthServiceFactory } from '@backstage/backend-defaults/httpAuth';
import { permissionsServiceFactory } from '@backstage/backend-defaults/permissions';
import { userInfoServiceFactory } from '@backstage/backend-defaults/userInfo';
import {
  coreServices,
  createBackendModule,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import authPlugin from '@backstage/plugin-auth-backend';
import guestProvider from '@backstage/plugin-auth-backend-module-guest-provider';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import permissionPlugin from '@backstage/plugin-permission-backend';
import searchPlugin from '@backstage/plugin-search-backend';
import searchCatalogModule from '@backstage/plugin-search-backend-module-catalog';
import { permissionModule } from './permissionModule';

const MINE = 'stellarator-design';
const THEIRS = 'edge-plasma';

function entity(kind: string, name: string, type: string, owner: string) {
  return {
    entity: {
      apiVersion: 'backstage.io/v1alpha1',
      kind,
      metadata: {
        name,
        annotations: {
          'backstage.io/managed-by-location': 'test:here',
          'backstage.io/managed-by-origin-location': 'test:here',
        },
      },
      spec: { type, owner: `group:default/${owner}`, lifecycle: 'production' },
    },
  };
}

const entities = [
  entity('Resource', 'my-job', 'training-job', MINE),
  entity('Resource', 'their-job', 'training-job', THEIRS),
  entity('Resource', 'their-pool', 'ml-pool', THEIRS),
  entity('Component', 'their-trainer', 'training-job', THEIRS),
];
const NAMES = entities.map(({ entity: { metadata } }) => metadata.name);

const service = { token: 'token-of-a-service', subject: 'external:test' };
const asService = `Bearer ${service.token}`;
const guest = {
  dangerouslyAllowOutsideDevelopment: true,
  userEntityRef: 'user:default/guest',
  ownershipEntityRefs: ['user:default/guest', `group:default/${MINE}`],
};

interface SearchAnswer {
  results: Array<{ document: { title: string } }>;
}

const fixedEntities = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'fixed-entities',
  register(env) {
    env.registerInit({
      deps: { catalog: catalogProcessingExtensionPoint },
      async init({ catalog }) {
        catalog.addEntityProvider({
          getProviderName: () => 'fixed',
          connect: connection =>
            connection.applyMutation({ type: 'full', entities }),
        });
      },
    });
  },
});

describe('permissionModule', () => {
  let backend: Awaited<ReturnType<typeof startTestBackend>>;
  let user: string;

  beforeAll(async () => {
    const scheduler = mockServices.scheduler();
    backend = await startTestBackend({
      features: [
        catalogPlugin,
        fixedEntities,
        permissionPlugin,
        permissionModule,
        authPlugin,
        guestProvider,
        // Not the mocks: the question is what real tokens may see.
        authServiceFactory,
        httpAuthServiceFactory,
        permissionsServiceFactory,
        userInfoServiceFactory,
        searchPlugin,
        searchCatalogModule,
        createServiceFactory({
          service: coreServices.scheduler,
          deps: {},
          factory: () => scheduler,
        }),
        mockServices.rootConfig.factory({
          data: {
            app: { baseUrl: 'http://127.0.0.1' },
            permission: { enabled: true },
            auth: { providers: { guest } },
            backend: {
              auth: { externalAccess: [{ type: 'static', options: service }] },
            },
          },
        }),
      ],
    });
    await eventually(
      async () => (await namesFor(asService)).length === NAMES.length,
    );
    await scheduler.triggerTask('search_index_software_catalog');
    const { backstageIdentity } = await (
      await get('/auth/guest/refresh')
    ).json();
    user = `Bearer ${backstageIdentity.token}`;
  }, 60_000);
  afterAll(() => backend.stop());

  function address(path: string): string {
    return `http://127.0.0.1:${backend.server.port()}/api${path}`;
  }

  async function foundFor(authorization: string): Promise<string[]> {
    const answer = await get('/search/query?term=', authorization);
    const { results }: SearchAnswer = await answer.json();
    return results.map(({ document }) => document.title).sort();
  }

  async function get(path: string, authorization?: string) {
    return fetch(address(path), {
      headers: authorization ? { Authorization: authorization } : {},
    });
  }

  async function namesFor(authorization: string): Promise<string[]> {
    const answer = await get('/catalog/entities', authorization);
    const found: Array<{ metadata: { name: string } }> = await answer.json();
    return found.map(({ metadata }) => metadata.name).sort();
  }

  it('shows a user the jobs of their teams, and whatever is no job', async () => {
    await expect(namesFor(user)).resolves.toEqual([
      'my-job',
      'their-pool',
      'their-trainer',
    ]);
  });

  it('hides the page of another team’s job', async () => {
    const path = '/catalog/entities/by-name/resource/default';
    expect((await get(`${path}/my-job`, user)).status).toBe(200);
    expect((await get(`${path}/their-job`, user)).status).toBe(404);
  });

  it('finds for a user what they may see, and nothing else', async () => {
    await expect(foundFor(user)).resolves.toEqual([
      'my-job',
      'their-pool',
      'their-trainer',
    ]);
  });

  it('lets services see everything, as the catalog’s and search’s own tokens must', async () => {
    await expect(namesFor(asService)).resolves.toEqual([...NAMES].sort());
    await expect(foundFor(asService)).resolves.toEqual([...NAMES].sort());
  });

  it('lets nobody unregister another team’s job', async () => {
    const path = '/catalog/entities/by-name/resource/default/their-job';
    const { metadata } = await (await get(path, asService)).json();
    const answer = await fetch(
      address(`/catalog/entities/by-uid/${metadata.uid}`),
      { method: 'DELETE', headers: { Authorization: user } },
    );
    expect(answer.ok).toBe(false);
    await expect(namesFor(asService)).resolves.toContain('their-job');
  });
});

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await check()); ) {
    if (Date.now() > end) throw new Error('The catalog has no entities yet');
    await new Promise(next => setTimeout(next, 200));
  }
}
