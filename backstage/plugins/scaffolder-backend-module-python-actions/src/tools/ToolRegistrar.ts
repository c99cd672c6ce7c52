import { randomUUID } from 'node:crypto';
import { AuthService } from '@backstage/backend-plugin-api';
import { ActionsRegistryService } from '@backstage/backend-plugin-api/alpha';
import { ActionRunner, ServiceActions } from '../actions';
import { ActionDefinition } from '../protocol';
import { zodObject } from './zodObject';

interface Options {
  registry: ActionsRegistryService;
  actions: ServiceActions;
  runner: ActionRunner;
  auth: AuthService;
  audience: string;
}

/** Offers the read-only actions of a service as tools, through Backstage's actions registry. */
export interface ToolRegistrar {
  /** Registers what is new; unlike template actions, tools may come at any time. */
  registerNew(): void;
}

export class DefaultToolRegistrar implements ToolRegistrar {
  static create(options: Options): ToolRegistrar {
    return new DefaultToolRegistrar(options);
  }

  private readonly registered = new Set<string>();

  private constructor(private readonly options: Options) {}

  registerNew(): void {
    for (const definition of this.options.actions.list()) {
      if (definition.readOnly && !this.registered.has(definition.id)) {
        this.registered.add(definition.id);
        this.register(definition);
      }
    }
  }

  private register(definition: ActionDefinition): void {
    const { registry, actions, runner, auth, audience } = this.options;
    const { id } = definition;
    registry.register({
      // Clients of the Model Context Protocol accept no colons in names.
      name: id.replace(/[^a-zA-Z0-9_-]+/g, '-'),
      title: id,
      description: definition.description,
      schema: {
        input: () => zodObject((actions.get(id) ?? definition).input),
        output: zod => zod.object({}).passthrough(),
      },
      attributes: { readOnly: true, destructive: false, idempotent: true },
      action: async ({ input, credentials, logger }) => ({
        output: await runner.run(
          {
            actionId: id,
            input,
            dryRun: false,
            idempotencyKey: randomUUID(),
            secrets: {},
          },
          {
            logger,
            getToken: async () => {
              const { token } = await auth.getPluginRequestToken({
                onBehalfOf: credentials,
                targetPluginId: audience,
              });
              return token;
            },
          },
        ),
      }),
    });
  }
}
