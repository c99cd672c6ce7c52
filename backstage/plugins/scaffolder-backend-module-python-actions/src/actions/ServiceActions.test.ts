import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestDatabases, mockServices } from '@backstage/backend-test-utils';
import { DefaultPythonServiceClient } from '../client';
import { DatabaseActionMemory } from '../memory';
import { ScriptedService } from '../testing/ScriptedService';
import { DefaultServiceActions } from './ServiceActions';

const greet = { id: 'example:greet', input: { type: 'object' } };
const list = (revision: string, ...actions: object[]) => ({
  protocol: 1,
  revision,
  actions,
});

describe('DefaultServiceActions', () => {
  const databases = TestDatabases.create({ ids: ['SQLITE_3'] });
  let service: ScriptedService;
  let port: number;

  beforeEach(async () => {
    service = await ScriptedService.start();
    port = service.port;
    service.actions = list('1', greet);
  });
  afterEach(() => service.stop());

  async function backstage() {
    const knex = await databases.init('SQLITE_3');
    return {
      async start(actionsFile?: string) {
        const logger = mockServices.logger.mock();
        const actions = DefaultServiceActions.create({
          name: 'example',
          client: DefaultPythonServiceClient.create({
            name: 'example',
            baseUrl: `http://127.0.0.1:${port}`,
            idleTimeoutMs: 500,
          }),
          getToken: async () => 'a-token',
          memory: await DatabaseActionMemory.create({
            database: mockServices.database({ knex }),
          }),
          logger,
          startupWaitMs: 0,
          actionsFile,
        });
        await actions.load();
        return { actions, logger };
      },
    };
  }

  it('offers what the service says', async () => {
    const { actions } = await (await backstage()).start();
    expect(actions.list()).toMatchObject([greet]);
    expect(actions.notes('example:greet')).toEqual([]);
  });

  it('offers what the service said last while it is down, says so, and recovers', async () => {
    const installation = await backstage();
    await installation.start();
    await service.stop();

    const { actions, logger } = await installation.start();
    expect(actions.list()).toMatchObject([greet]);
    expect(logger.warn).toHaveBeenCalledWith(
      'Service example does not tell its actions (ECONNREFUSED); going on with the 1 known last',
    );
    expect(actions.notes('example:greet')).toEqual([
      'Service example does not answer at the moment; what is known of this action is what it said last',
    ]);

    await service.listen(port);
    await actions.refresh();
    expect(logger.info).toHaveBeenCalledWith('Service example answers again');
    expect(actions.notes('example:greet')).toEqual([]);
  });

  it('starts without a service that was never seen, and learns its actions later', async () => {
    const installation = await backstage();
    await service.stop();
    const { actions, logger } = await installation.start();
    expect(actions.list()).toEqual([]);
    expect(logger.error).toHaveBeenCalledWith(
      expect.stringContaining('none of its actions can be offered'),
    );

    await service.listen(port);
    await actions.refresh();
    expect(actions.list()).toMatchObject([greet]);
    expect(logger.warn).toHaveBeenCalledWith(
      'Service example now offers example:greet; restart Backstage to use it in templates',
    );
  });

  it('starts from a file before the service was ever seen', async () => {
    const installation = await backstage();
    await service.stop();
    const file = join(await mkdtemp(join(tmpdir(), 'actions-')), 'list.json');
    await writeFile(file, JSON.stringify(list('1', greet)));
    const { actions, logger } = await installation.start(file);
    expect(actions.list()).toMatchObject([greet]);
    expect(logger.error).not.toHaveBeenCalled();
  });

  it('notices what the service changes, adds and removes', async () => {
    const { actions, logger } = await (await backstage()).start();
    service.actions = list('2', { ...greet, description: 'Greets.' });
    await actions.refresh();
    expect(logger.info).toHaveBeenCalledWith(
      'Service example changed example:greet: description',
    );
    expect(actions.notes('example:greet')).toEqual([
      'The service changed this action since Backstage read it: description',
    ]);

    service.actions = list('3');
    await actions.refresh();
    expect(actions.notes('example:greet')).toEqual([
      'Service example no longer offers this action',
    ]);
  });

  it.each([
    ['another version', { protocol: 2, revision: '1', actions: [] }],
    ['the same id twice', list('1', greet, greet)],
    ['no input schema', list('1', { id: 'example:greet' })],
  ])('does not take a list with %s', async (_what, actions) => {
    service.actions = actions;
    const { logger } = await (await backstage()).start();
    expect(logger.warn).toHaveBeenCalledWith(
      expect.stringContaining(
        'Service example sent a list of actions that the actions protocol does not know',
      ),
    );
  });
});
