import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import { parse } from 'yaml';
import { z } from 'zod';
import { pythonActionsModule } from './module';
import { ScriptedService } from './testing/ScriptedService';

const EXAMPLE = resolve(__dirname, '../example');
const template = parse(readFileSync(`${EXAMPLE}/template.yaml`, 'utf8'));
const greet = {
  id: 'example:greet',
  input: {
    type: 'object',
    properties: { name: { $ref: '#/$defs/Name' } },
    $defs: { Name: { type: 'string', minLength: 1 } },
  },
  supportsDryRun: true,
  readOnly: true,
};
const hello = { type: 'output', output: { greeting: 'Hello, Ada!' } };

async function startScaffolder(baseUrl: string) {
  const { server } = await startTestBackend({
    features: [
      scaffolderPlugin,
      pythonActionsModule,
      catalogServiceMock.factory({ entities: [template] }),
      mockServices.rootConfig.factory({
        data: {
          pythonActions: {
            startupWait: { seconds: 20 },
            services: [{ name: 'example', baseUrl, audience: 'ml-platform' }],
          },
        },
      }),
    ],
  });
  const url = `http://127.0.0.1:${server.port()}/api/scaffolder`;
  return async <T>(schema: z.ZodType<T>, path: string, body?: object) => {
    const response = await fetch(url + path, {
      method: body ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    return schema.parse(await response.json());
  };
}

type Call = Awaited<ReturnType<typeof startScaffolder>>;

const event = z.object({
  type: z.string(),
  body: z.looseObject({ message: z.string().optional() }),
});

async function runTemplate(call: Call, values: object) {
  const { id } = await call(z.object({ id: z.string() }), '/v2/tasks', {
    templateRef: 'template:default/greet',
    values,
    secrets: { password: 'open sesame' },
  });
  for (;;) {
    const events = await call(z.array(event), `/v2/tasks/${id}/events`);
    const completion = events.find(({ type }) => type === 'completion');
    if (completion) {
      return { id, log: events.map(e => e.body.message), ...completion.body };
    }
    await sleep(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}

describe('pythonActionsModule', () => {
  it('waits for the example service and runs its action in a template', async () => {
    const port = await freePort();
    const scaffolder = startScaffolder(`http://127.0.0.1:${port}`);
    const python = spawn(
      process.env.PYTHON ?? 'python3',
      [`${EXAMPLE}/service.py`, `${port}`],
      { stdio: 'ignore' },
    );
    try {
      const call = await scaffolder;
      await expect(
        runTemplate(call, { name: 'Ada', seconds: 1 }),
      ).resolves.toMatchObject({
        log: expect.arrayContaining([
          expect.stringContaining('thinking of Ada, 1 s'),
        ]),
        output: { text: [{ title: 'Greeting', content: 'Hello, Ada!' }] },
      });
      await expect(
        runTemplate(call, { name: ' ', seconds: 1 }),
      ).resolves.toMatchObject({
        error: {
          name: 'InputError',
          message: 'name: must not be empty. Hint: say who',
        },
      });
    } finally {
      python.kill();
    }
  }, 60_000);

  it('sends who asks, and none of the secrets of the scaffolder itself', async () => {
    const service = await ScriptedService.start();
    service.actions = { protocol: 1, revision: '1', actions: [greet] };
    service.play([{ status: 200, lines: [hello], pauseMs: 0, then: 'end' }]);
    try {
      const call = await startScaffolder(service.url);
      const task = await runTemplate(call, { name: 'Ada', seconds: 1 });

      expect(service.runs).toHaveLength(1);
      expect(service.runs[0].authorization).toContain('user:default/mock');
      expect(service.runs[0].authorization).toContain('ml-platform');
      expect(service.runs[0].body).toMatchObject({
        dryRun: false,
        input: { name: 'Ada', seconds: 1 },
        secrets: { password: 'open sesame' },
        idempotencyKey: expect.stringMatching(
          `^${task.id}/greet/[0-9a-f]{16}$`,
        ),
      });
      expect(Object.keys(service.runs[0].body.secrets)).toEqual(['password']);
    } finally {
      await service.stop();
    }
  }, 60_000);

  it('says to the service when nothing may be changed', async () => {
    const service = await ScriptedService.start();
    service.actions = { protocol: 1, revision: '1', actions: [greet] };
    service.play([{ status: 200, lines: [hello], pauseMs: 0, then: 'end' }]);
    try {
      const call = await startScaffolder(service.url);
      await expect(
        call(z.looseObject({}), '/v2/dry-run', {
          template,
          values: { name: 'Ada', seconds: 1 },
          directoryContents: [],
        }),
      ).resolves.toMatchObject({
        output: { text: [{ content: 'Hello, Ada!' }] },
      });
      expect(service.runs[0].body.dryRun).toBe(true);
    } finally {
      await service.stop();
    }
  }, 60_000);

  it('shows the schema whole and leaves what is wrong to the words of the service', async () => {
    const service = await ScriptedService.start();
    service.actions = { protocol: 1, revision: '1', actions: [greet] };
    const refusal = {
      name: 'InputError',
      message: 'must not be empty',
      field: 'name',
      hint: 'say who',
    };
    service.play([
      { status: 400, lines: [{ error: refusal }], pauseMs: 0, then: 'end' },
    ]);
    try {
      const call = await startScaffolder(service.url);
      const listed = await call(z.array(z.looseObject({})), '/v2/actions');
      expect(listed.find(({ id }) => id === greet.id)).toMatchObject({
        schema: {
          input: {
            type: 'object',
            definitions: { Name: { type: 'string', minLength: 1 } },
          },
        },
      });

      const task = await runTemplate(call, { name: '', seconds: 1 });
      expect(service.runs[0].body.input).toMatchObject({ name: '' });
      expect(task).toMatchObject({
        error: {
          name: 'InputError',
          message: 'name: must not be empty. Hint: say who',
        },
      });
      expect(task.log.join('\n')).not.toMatch(/^ +at /m);
    } finally {
      await service.stop();
    }
  }, 60_000);
});
