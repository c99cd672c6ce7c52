import { readFileSync, readdirSync } from 'fs';
import { join, resolve } from 'path';
import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import {
  createTemplateAction,
  scaffolderActionsExtensionPoint,
} from '@backstage/plugin-scaffolder-node';
import scaffolderPlugin from '@backstage/plugin-scaffolder-backend';
import { parse } from 'yaml';
import { z } from 'zod';

const TEMPLATES = resolve(__dirname, '../../../../templates');

const exampleSchema = z.object({
  refused_by: z.enum(['form', 'platform']).optional(),
  error: z.string().optional(),
  values: z.record(z.string(), z.unknown()),
});
const taskSchema = z.object({
  status: z.string(),
  output: z.unknown().optional(),
});

function readYaml(...path: string[]): unknown {
  return parse(readFileSync(join(TEMPLATES, ...path), 'utf8'));
}

const examples = ['submit-training-job', 'cancel-training-job'].flatMap(
  template =>
    ['valid', 'invalid'].flatMap(kind =>
      readdirSync(join(TEMPLATES, template, 'examples', kind)).map(file => ({
        template,
        title: `${template}/${kind}/${file}`,
        ...exampleSchema.parse(readYaml(template, 'examples', kind, file)),
      })),
    ),
);

describe('templates', () => {
  const inputs: unknown[] = [];
  let backend: Awaited<ReturnType<typeof startTestBackend>>;

  /** Takes what the platform's action would get, as the JSON that it would get. */
  const recordingActions = createBackendModule({
    pluginId: 'scaffolder',
    moduleId: 'recording-actions',
    register(env) {
      env.registerInit({
        deps: { actions: scaffolderActionsExtensionPoint },
        async init({ actions }) {
          actions.addActions(
            ...['ml:job:submit', 'ml:job:cancel'].map(id =>
              createTemplateAction({
                id,
                async handler(ctx) {
                  inputs.push(JSON.parse(JSON.stringify(ctx.input)));
                },
              }),
            ),
          );
        },
      });
    },
  });

  beforeAll(async () => {
    const entities = ['submit-training-job', 'cancel-training-job'].map(name =>
      z
        .object({
          apiVersion: z.string(),
          kind: z.string(),
          metadata: z.object({ name: z.string() }),
          spec: z.record(z.string(), z.json()),
        })
        .parse(readYaml(name, 'template.yaml')),
    );
    backend = await startTestBackend({
      features: [
        scaffolderPlugin,
        recordingActions,
        catalogServiceMock.factory({
          entities: entities.map(entity => ({
            ...entity,
            metadata: { ...entity.metadata, namespace: 'default' },
          })),
        }),
        mockServices.rootConfig.factory({ data: {} }),
      ],
    });
  });
  afterAll(() => backend.stop());

  const headers = {
    Authorization: mockCredentials.user.header(),
    'Content-Type': 'application/json',
  };
  const address = (path: string) =>
    `http://127.0.0.1:${backend.server.port()}/api/scaffolder/v2${path}`;

  async function start(template: string, values: object) {
    return fetch(address('/tasks'), {
      method: 'POST',
      headers,
      body: JSON.stringify({
        templateRef: `template:default/${template}`,
        values,
      }),
    });
  }

  async function run(template: string, values: object) {
    inputs.length = 0;
    const { id } = z
      .object({ id: z.string() })
      .parse(await (await start(template, values)).json());
    for (;;) {
      const answer = await fetch(address(`/tasks/${id}`), { headers });
      const task = taskSchema.parse(await answer.json());
      if (task.status === 'completed') return inputs[0];
      if (task.status === 'failed') throw new Error(`Task ${id} failed`);
      await new Promise(next => setTimeout(next, 50));
    }
  }

  it.each(examples.filter(example => example.refused_by !== 'form'))(
    'hands $title to its action, with nothing added',
    async ({ template, values }) => {
      const { training, ...rest } = values;
      const asked = { ...(training as object | undefined), ...rest };
      expect(await run(template, values)).toEqual(asked);
    },
  );

  it.each(examples.filter(example => example.refused_by === 'form'))(
    'refuses $title in the form',
    async ({ template, values, error }) => {
      const answer = await start(template, values);
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain(JSON.stringify(error).slice(1, -1));
    },
  );
});
