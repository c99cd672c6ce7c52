import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { LoggerService } from '@backstage/backend-plugin-api';
import { PythonServiceClient } from '../client';
import { ActionMemory } from '../memory';
import { ActionDefinition, ActionList, actionList } from '../protocol';

const FIRST_CONTACT_INTERVAL_MS = 1_000;

/** What one service offers: as it says now or, while it is silent, as it said last. */
export interface ServiceActions {
  /** Finds out what there is to offer, waiting a while for a service that is not known yet. */
  load(): Promise<void>;
  /** Asks the service again. */
  refresh(): Promise<void>;
  list(): ActionDefinition[];
  get(id: string): ActionDefinition | undefined;
  /** What a person who runs this action should know about its definition. */
  notes(id: string): string[];
}

interface Options {
  name: string;
  client: PythonServiceClient;
  getToken(): Promise<string>;
  memory: ActionMemory;
  logger: LoggerService;
  startupWaitMs: number;
  actionsFile?: string;
}

export class DefaultServiceActions implements ServiceActions {
  static create(options: Options): ServiceActions {
    return new DefaultServiceActions(options);
  }

  private current = new Map<string, ActionDefinition>();
  private atStart = new Map<string, ActionDefinition>();
  private revision: string | undefined;
  private answering: boolean | undefined;
  private loaded = false;

  private constructor(private readonly options: Options) {}

  async load(): Promise<void> {
    const { name, logger, startupWaitMs } = this.options;
    const known = await this.remembered();
    if (known) {
      this.adopt(known);
    }
    await this.refresh();
    const deadline = Date.now() + startupWaitMs;
    while (!known && !this.answering && Date.now() < deadline) {
      await sleep(FIRST_CONTACT_INTERVAL_MS);
      await this.refresh();
    }
    if (!known && !this.answering) {
      logger.error(
        `Service ${name} did not answer within ${
          startupWaitMs / 1000
        } s and has never been seen before, so none of its actions can be offered. It will be asked again; once it has answered, restart Backstage to offer them`,
      );
    }
    this.atStart = new Map(this.current);
    this.loaded = true;
  }

  async refresh(): Promise<void> {
    const { name, client, getToken, memory, logger } = this.options;
    let list: ActionList;
    try {
      list = await client.listActions({ token: await getToken() });
    } catch (error) {
      if (this.answering !== false) {
        logger.warn(
          `Service ${name} does not tell its actions (${
            error instanceof Error ? error.message : error
          }); going on with the ${this.current.size} known last`,
        );
      }
      this.answering = false;
      return;
    }
    if (this.answering === false) {
      logger.info(`Service ${name} answers again`);
    }
    this.answering = true;
    if (list.revision !== this.revision) {
      this.adopt(list);
      await memory.save(name, list);
    }
  }

  list(): ActionDefinition[] {
    return [...this.current.values()];
  }

  get(id: string): ActionDefinition | undefined {
    return this.current.get(id);
  }

  notes(id: string): string[] {
    const { name } = this.options;
    const notes: string[] = [];
    if (!this.answering) {
      notes.push(
        `Service ${name} does not answer at the moment; what is known of this action is what it said last`,
      );
    }
    const before = this.atStart.get(id);
    const now = this.current.get(id);
    if (!now) {
      notes.push(`Service ${name} no longer offers this action`);
    } else if (before && !isDeepStrictEqual(before, now)) {
      notes.push(
        `The service changed this action since Backstage read it: ${differences(
          before,
          now,
        )}`,
      );
    }
    return notes;
  }

  private async remembered(): Promise<ActionList | undefined> {
    const { name, memory, actionsFile } = this.options;
    const saved = await memory.load(name);
    if (saved || !actionsFile) {
      return saved;
    }
    return actionList.parse(JSON.parse(await readFile(actionsFile, 'utf8')));
  }

  private adopt(list: ActionList): void {
    const next = new Map(list.actions.map(action => [action.id, action]));
    if (this.loaded) {
      this.report(next);
    }
    this.current = next;
    this.revision = list.revision;
  }

  private report(next: Map<string, ActionDefinition>): void {
    const { name, logger } = this.options;
    for (const [id, action] of next) {
      const before = this.current.get(id);
      if (!this.atStart.has(id)) {
        logger.warn(
          `Service ${name} now offers ${id}; restart Backstage to use it in templates`,
        );
      } else if (before && !isDeepStrictEqual(before, action)) {
        logger.info(
          `Service ${name} changed ${id}: ${differences(before, action)}`,
        );
      }
    }
    for (const id of this.current.keys()) {
      if (!next.has(id)) {
        logger.warn(`Service ${name} no longer offers ${id}`);
      }
    }
  }
}

function differences(before: ActionDefinition, now: ActionDefinition): string {
  const old = new Map<string, unknown>(Object.entries(before));
  return Object.entries(now)
    .filter(([key, value]) => !isDeepStrictEqual(old.get(key), value))
    .map(([key]) => key)
    .join(', ');
}
