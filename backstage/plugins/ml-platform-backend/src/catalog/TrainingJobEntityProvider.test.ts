import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { Entity } from '@backstage/catalog-model';
import {
  EntityProviderConnection,
  EntityProviderMutation,
  catalogProcessingExtensionPoint,
} from '@backstage/plugin-catalog-node';
import { mlPlatformPlugin } from '../plugin';
import { FakeJobService } from '../testing/FakeJobService';
import { catalogModuleTrainingJobs } from './catalogModule';

function entity(name: string, description = 'A job'): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Resource',
    metadata: { name, description },
    spec: { type: 'training-job', owner: 'group:default/stellarator-design' },
  };
}

describe('training jobs in the catalog', () => {
  let service: FakeJobService;
  let mutations: string[];
  let arrived: () => void;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    service = await FakeJobService.start();
    mutations = [];
    arrived = () => {};
  });
  afterEach(async () => {
    await stop();
    await service.stop();
  });

  async function start() {
    const connection: EntityProviderConnection = {
      applyMutation: async mutation => {
        mutations.push(describeMutation(mutation));
        arrived();
      },
      refresh: async () => {},
    };
    const backend = await startTestBackend({
      extensionPoints: [
        [
          catalogProcessingExtensionPoint,
          {
            addProcessor: () => {},
            addEntityProvider: provider => {
              [provider].flat(2).forEach(one => one.connect(connection));
            },
            addPlaceholderResolver: () => {},
            setOnProcessingErrorHandler: () => {},
          },
        ],
      ],
      features: [
        mlPlatformPlugin,
        catalogModuleTrainingJobs,
        mockServices.rootConfig.factory({
          data: {
            mlPlatform: {
              baseUrl: service.url,
              catalog: { pollSeconds: 60 },
            },
          },
        }),
      ],
    });
    stop = () => backend.stop();
  }

  function nextMutation(): Promise<void> {
    return new Promise(resolve => {
      arrived = resolve;
    });
  }

  async function mutationNumber(count: number): Promise<string> {
    while (mutations.length < count) {
      await nextMutation();
    }
    return mutations[count - 1];
  }

  it('replaces all it knew when told to start afresh, page after page', async () => {
    service.changes = after =>
      after === ''
        ? { cursor: '1', reset: true, upserts: [entity('a')], deletes: [] }
        : {
            cursor: '2',
            reset: false,
            upserts: after === '1' ? [entity('b')] : [],
            deletes: [],
          };
    await start();
    expect(await mutationNumber(1)).toBe('full +a +b');
  });

  it('adds a new job as soon as the service announces it, and nothing that it told before', async () => {
    let upserts = [entity('a')];
    let cursor = '1';
    service.changes = after => ({
      cursor,
      reset: after === '',
      upserts,
      deletes: [],
    });
    await start();
    expect(await mutationNumber(1)).toBe('full +a');
    upserts = [entity('a'), entity('b')];
    cursor = '2';
    while (service.open.size === 0) {
      await new Promise(resolve => setImmediate(resolve));
    }
    service.send('id: x:1\ndata: {}\n\n');
    expect(await mutationNumber(2)).toBe('delta +b');
  });

  it('comes back by itself after the service was away', async () => {
    service.changes = () => {
      service.changes = after => ({
        cursor: '1',
        reset: after === '',
        upserts: [entity('a')],
        deletes: [],
      });
      return { nonsense: true };
    };
    await start();
    expect(await mutationNumber(1)).toBe('full +a');
  });
});

function describeMutation(mutation: EntityProviderMutation): string {
  const added = mutation.type === 'full' ? mutation.entities : mutation.added;
  return [
    mutation.type,
    ...added.map(one => `+${one.entity.metadata.name}`),
  ].join(' ');
}
