import {
  AuthService,
  DatabaseService,
  LoggerService,
  RootConfigService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import { ActionsRegistryService } from '@backstage/backend-plugin-api/alpha';
import { TemplateAction } from '@backstage/plugin-scaffolder-node';
import { HumanDuration } from '@backstage/types';
import {
  ActionRunner,
  DefaultServiceActions,
  RetryingActionRunner,
  ServiceActions,
  createPythonAction,
} from './actions';
import { DefaultPythonServiceClient } from './client';
import { readPythonActionsConfig } from './config';
import { DatabaseActionMemory } from './memory';
import { DefaultToolRegistrar, ToolRegistrar } from './tools';

interface Services {
  auth: AuthService;
  config: RootConfigService;
  database: DatabaseService;
  logger: LoggerService;
  registry: ActionsRegistryService;
  scheduler: SchedulerService;
}

interface Bridge {
  audience: string;
  actions: ServiceActions;
  runner: ActionRunner;
  tools: ToolRegistrar;
}

/** All configured services, from start-up to the last refresh. */
export class PythonActions {
  static async create(services: Services): Promise<PythonActions> {
    const { auth, database, logger, registry, scheduler } = services;
    const config = readPythonActionsConfig(services.config);
    const memory = await DatabaseActionMemory.create({ database });
    const bridges = config.services.map(
      ({ name, baseUrl, audience, actionsFile }) => {
        const client = DefaultPythonServiceClient.create({
          name,
          baseUrl,
          idleTimeoutMs: config.idleTimeoutMs,
        });
        const runner = RetryingActionRunner.create({
          name,
          client,
          retry: config.retry,
        });
        const actions = DefaultServiceActions.create({
          name,
          client,
          memory,
          logger,
          actionsFile,
          startupWaitMs: config.startupWaitMs,
          getToken: async () => {
            const { token } = await auth.getPluginRequestToken({
              onBehalfOf: await auth.getOwnServiceCredentials(),
              targetPluginId: audience,
            });
            return token;
          },
        });
        const tools = DefaultToolRegistrar.create({
          registry,
          actions,
          runner,
          auth,
          audience,
        });
        return { audience, actions, runner, tools };
      },
    );
    return new PythonActions(auth, scheduler, config.refreshInterval, bridges);
  }

  private constructor(
    private readonly auth: AuthService,
    private readonly scheduler: SchedulerService,
    private readonly refreshInterval: HumanDuration,
    private readonly bridges: Bridge[],
  ) {}

  /** The actions for templates; services are asked all at once. */
  async load(): Promise<TemplateAction[]> {
    await Promise.all(this.bridges.map(({ actions }) => actions.load()));
    return this.bridges.flatMap(({ actions, tools, ...bridge }) => {
      tools.registerNew();
      return actions.list().map(definition =>
        createPythonAction(definition, {
          ...bridge,
          actions,
          auth: this.auth,
        }),
      );
    });
  }

  async keepFresh(): Promise<void> {
    if (!this.bridges.length) {
      return;
    }
    await this.scheduler.scheduleTask({
      id: 'python-actions-refresh',
      // Every replica has a list of its own to keep fresh.
      scope: 'local',
      frequency: this.refreshInterval,
      initialDelay: this.refreshInterval,
      timeout: { minutes: 1 },
      fn: async () => {
        for (const { actions, tools } of this.bridges) {
          await actions.refresh();
          tools.registerNew();
        }
      },
    });
  }
}
