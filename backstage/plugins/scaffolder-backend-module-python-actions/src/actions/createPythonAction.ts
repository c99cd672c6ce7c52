import {
  ActionContext,
  TemplateAction,
} from '@backstage/plugin-scaffolder-node';
import { AuthService } from '@backstage/backend-plugin-api';
import { stringify } from 'yaml';
import { ActionDefinition } from '../protocol';
import { ActionRunner } from './ActionRunner';
import { ServiceActions } from './ServiceActions';
import { idempotencyKey } from './idempotencyKey';
import { withLocalDefinitions } from './localDefinitions';
import { serviceChecked } from './serviceChecked';

/** What the scaffolder itself keeps among a task's secrets; no business of any service. */
const SCAFFOLDER_SECRETS = new Set([
  'backstageToken',
  '__initiatorCredentials',
]);

export interface PythonActionOptions {
  actions: ServiceActions;
  runner: ActionRunner;
  auth: AuthService;
  audience: string;
}

/**
 * Built as an object with getters, since the scaffolder reads an action anew
 * each time it shows or runs it: so a changed schema is in force without a restart.
 */
export function createPythonAction(
  definition: ActionDefinition,
  options: PythonActionOptions,
): TemplateAction {
  const { id } = definition;
  const current = () => options.actions.get(id) ?? definition;
  return {
    id,
    get description() {
      return current().description;
    },
    get supportsDryRun() {
      return current().supportsDryRun;
    },
    get schema() {
      const { input, output } = current();
      return {
        input: serviceChecked(withLocalDefinitions(input)),
        output: withLocalDefinitions(output),
      };
    },
    get examples() {
      return current().examples.map(({ description, input }) => ({
        description,
        example: exampleTemplate(id, input),
      }));
    },
    handler: ctx => runInTask(id, ctx, options),
  };
}

async function runInTask(
  id: string,
  ctx: ActionContext<TemplateActionInput>,
  { actions, runner, auth, audience }: PythonActionOptions,
): Promise<void> {
  actions.notes(id).forEach(note => ctx.logger.warn(note));
  const output = await runner.run(
    {
      actionId: id,
      input: ctx.input,
      dryRun: ctx.isDryRun === true,
      idempotencyKey: idempotencyKey({
        taskId: ctx.task.id,
        stepId: ctx.step?.id,
        actionId: id,
        input: ctx.input,
      }),
      secrets: Object.fromEntries(
        Object.entries(ctx.secrets ?? {}).filter(
          ([name]) => !SCAFFOLDER_SECRETS.has(name),
        ),
      ),
    },
    {
      logger: ctx.logger,
      signal: ctx.signal,
      getToken: async () => {
        const { token } = await auth.getPluginRequestToken({
          onBehalfOf: await ctx.getInitiatorCredentials(),
          targetPluginId: audience,
        });
        return token;
      },
    },
  );
  for (const [name, value] of Object.entries(output)) {
    ctx.output(name, value);
  }
}

type TemplateActionInput = Parameters<TemplateAction['handler']>[0]['input'];

function exampleTemplate(
  id: string,
  input: ActionDefinition['examples'][number]['input'],
): string {
  const step = id.replace(/[^a-zA-Z0-9]+/g, '-');
  return stringify({ steps: [{ id: step, name: id, action: id, input }] });
}
