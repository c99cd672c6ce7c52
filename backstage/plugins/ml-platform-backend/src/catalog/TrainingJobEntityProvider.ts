import { createHash } from 'crypto';
import {
  AuthService,
  DiscoveryService,
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import {
  Entity,
  entityEnvelopeSchemaValidator,
  stringifyEntityRef,
} from '@backstage/catalog-model';
import { ResponseError } from '@backstage/errors';
import {
  DeferredEntity,
  EntityProvider,
  EntityProviderConnection,
} from '@backstage/plugin-catalog-node';
import {
  CatalogChanges,
  ML_PLATFORM_PLUGIN_ID,
  catalogChangesSchema,
  readServerSentEvents,
} from '@internal/plugin-ml-platform-common';

const toEntity = entityEnvelopeSchemaValidator();
const LOCATION_KEY = 'ml-platform';
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Makes the platform's jobs, workloads and pools entities of the catalog. It asks for changes since a
 * cursor, at once when the service announces one and every few seconds besides.
 */
export class TrainingJobEntityProvider implements EntityProvider {
  static create(options: {
    auth: AuthService;
    config: RootConfigService;
    discovery: DiscoveryService;
    logger: LoggerService;
  }) {
    return new TrainingJobEntityProvider(
      options.auth,
      options.discovery,
      options.logger,
      (options.config.getOptionalNumber('mlPlatform.catalog.pollSeconds') ??
        10) * 1000,
    );
  }

  #connection?: EntityProviderConnection;
  #cursor = '';
  /** What the catalog was told last, by entity reference: unchanged entities are not sent again. */
  readonly #told = new Map<string, string>();
  readonly #sleepers = new Set<() => void>();
  readonly #stopping = new AbortController();

  private constructor(
    private readonly auth: AuthService,
    private readonly discovery: DiscoveryService,
    private readonly logger: LoggerService,
    private readonly pollMs: number,
  ) {}

  getProviderName(): string {
    return 'ml-platform';
  }

  async connect(connection: EntityProviderConnection): Promise<void> {
    this.#connection = connection;
  }

  /** Follows the service until `stop`; the catalog must be connected. */
  start(): void {
    this.#repeat('catalog entities', async () => {
      await this.#update();
      await this.#pause(this.pollMs);
    });
    this.#repeat('events', () => this.#listen());
  }

  stop(): void {
    this.#stopping.abort();
    this.#wakeAll();
  }

  /** Runs `step` for ever; while it fails, less and less often, with one warning per outage. */
  async #repeat(what: string, step: () => Promise<void>): Promise<void> {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        await step();
        if (failures > 0) {
          this.logger.info(`The ML Platform service answers again (${what})`);
        }
        failures = 0;
      } catch (error) {
        if (this.#stopping.signal.aborted) {
          return;
        }
        if (failures === 0) {
          this.logger.warn(
            `No ${what} from the ML Platform service; trying again until it answers: ${error}`,
          );
        }
        failures += 1;
        await this.#pause(
          Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS),
        );
      }
    }
  }

  async #update(): Promise<void> {
    const first = await this.#changesSince(this.#cursor);
    const pages = [first];
    let cursor = first.cursor;
    // A long answer comes in pages; only the whole of it may replace what the catalog has.
    for (let last = this.#cursor; cursor !== last; ) {
      last = cursor;
      const page = await this.#changesSince(cursor);
      pages.push(page);
      cursor = page.cursor;
    }
    await this.#tell(
      first.reset,
      pages.flatMap(page => page.upserts).map(entity => toEntity(entity)),
      pages.flatMap(page => page.deletes),
    );
    this.#cursor = cursor;
  }

  async #changesSince(cursor: string): Promise<CatalogChanges> {
    const answer = await this.#ask(
      `/catalog/entities?after=${encodeURIComponent(cursor)}`,
    );
    return catalogChangesSchema.parse(await answer.json());
  }

  async #tell(reset: boolean, upserts: Entity[], deletes: string[]) {
    const changed = new Map<
      string,
      { deferred: DeferredEntity; hash: string }
    >();
    for (const entity of upserts) {
      const hash = createHash('sha1')
        .update(JSON.stringify(entity))
        .digest('hex');
      const ref = stringifyEntityRef(entity);
      if (reset || this.#told.get(ref) !== hash) {
        changed.set(ref, {
          deferred: { entity, locationKey: LOCATION_KEY },
          hash,
        });
      }
    }
    const entities = [...changed.values()].map(({ deferred }) => deferred);
    if (reset) {
      await this.#connection?.applyMutation({ type: 'full', entities });
      this.#told.clear();
    } else if (entities.length > 0 || deletes.length > 0) {
      await this.#connection?.applyMutation({
        type: 'delta',
        added: entities,
        removed: deletes.map(entityRef => ({
          entityRef,
          locationKey: LOCATION_KEY,
        })),
      });
    }
    changed.forEach(({ hash }, ref) => this.#told.set(ref, hash));
    deletes.forEach(ref => this.#told.delete(ref));
  }

  async #listen(): Promise<void> {
    const answer = await this.#ask('/events');
    if (!answer.body) {
      return;
    }
    for await (const _event of readServerSentEvents(answer.body)) {
      this.#wakeAll();
    }
    await this.#pause(FIRST_PAUSE_MS);
  }

  // By way of our own backend, so that the service needs to trust one plugin only.
  async #ask(path: string) {
    const { token } = await this.auth.getPluginRequestToken({
      onBehalfOf: await this.auth.getOwnServiceCredentials(),
      targetPluginId: ML_PLATFORM_PLUGIN_ID,
    });
    const baseUrl = await this.discovery.getBaseUrl(ML_PLATFORM_PLUGIN_ID);
    const answer = await fetch(`${baseUrl}${path}`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: this.#stopping.signal,
    });
    if (!answer.ok) {
      throw await ResponseError.fromResponse(answer);
    }
    return answer;
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stopping.signal.aborted) {
      return;
    }
    await new Promise<void>(resolve => {
      let timer: NodeJS.Timeout | undefined = undefined;
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      timer = setTimeout(wake, milliseconds);
      this.#sleepers.add(wake);
    });
  }

  #wakeAll(): void {
    this.#sleepers.forEach(wake => wake());
  }
}
