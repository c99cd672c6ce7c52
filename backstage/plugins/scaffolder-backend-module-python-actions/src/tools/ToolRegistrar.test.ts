import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import { actionsRegistryServiceMock } from '@backstage/backend-test-utils/alpha';
import { RetryingActionRunner, ServiceActions } from '../actions';
import { DefaultPythonServiceClient } from '../client';
import { ActionDefinition, actionList } from '../protocol';
import { ScriptedService } from '../testing/ScriptedService';
import { DefaultToolRegistrar } from './ToolRegistrar';

const { actions: definitions } = actionList.parse({
  protocol: 1,
  revision: '1',
  actions: [
    {
      id: 'ml:job:list',
      description: 'Lists jobs.',
      readOnly: true,
      input: {
        type: 'object',
        required: ['team'],
        properties: {
          team: { type: 'string', description: 'Who pays' },
          state: { $ref: '#/$defs/State' },
          limit: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
          tags: { type: 'array', items: { type: 'string' } },
        },
        $defs: { State: { enum: ['queued', 'running'] } },
      },
    },
    { id: 'ml:job:submit', input: { type: 'object' } },
  ],
});

function known(list: ActionDefinition[]): ServiceActions {
  return {
    load: async () => {},
    refresh: async () => {},
    list: () => list,
    get: id => list.find(action => action.id === id),
    notes: () => [],
  };
}

describe('DefaultToolRegistrar', () => {
  it('offers read-only actions as tools that run in the name of the caller', async () => {
    const service = await ScriptedService.start();
    service.play([
      {
        status: 200,
        lines: [{ type: 'output', output: { jobs: [] } }],
        pauseMs: 0,
        then: 'end',
      },
    ]);
    const registry = actionsRegistryServiceMock();
    const tools = DefaultToolRegistrar.create({
      registry,
      actions: known(definitions),
      auth: mockServices.auth(),
      audience: 'ml-platform',
      runner: RetryingActionRunner.create({
        name: 'example',
        client: DefaultPythonServiceClient.create({
          name: 'example',
          baseUrl: service.url,
          idleTimeoutMs: 500,
        }),
        retry: { attempts: 1, firstDelayMs: 1 },
      }),
    });
    tools.registerNew();
    tools.registerNew();

    expect([...registry.actions.keys()]).toEqual(['test:ml-job-list']);
    const input = {
      team: 'edge-plasma',
      state: 'running',
      limit: null,
      tags: [],
    };
    await expect(
      registry.invoke({
        id: 'test:ml-job-list',
        input,
        credentials: mockCredentials.user('user:default/ada'),
      }),
    ).resolves.toEqual({ output: { jobs: [] } });
    expect(service.runs[0]).toMatchObject({ body: { input } });
    expect(service.runs[0].authorization).toContain('user:default/ada');
    await expect(
      registry.invoke({
        id: 'test:ml-job-list',
        input: { team: 'edge-plasma', state: 'asleep' },
      }),
    ).rejects.toThrow('Invalid input');
    await service.stop();
  });
});
