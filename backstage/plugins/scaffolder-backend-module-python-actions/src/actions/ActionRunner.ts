import { setTimeout as sleep } from 'node:timers/promises';
import { LoggerService } from '@backstage/backend-plugin-api';
import { PythonServiceClient } from '../client';
import { RetryConfig } from '../config';
import {
  RunMessage,
  RunOutput,
  RunRequest,
  ServiceUnreachableError,
  toBackstageError,
} from '../protocol';

const LONGEST_DELAY_MS = 30_000;

export interface ActionRunOptions {
  getToken(): Promise<string>;
  logger: LoggerService;
  signal?: AbortSignal;
}

/** Runs an action to its end, through broken connections and restarts of the service. */
export interface ActionRunner {
  run(request: RunRequest, options: ActionRunOptions): Promise<RunOutput>;
}

export class RetryingActionRunner implements ActionRunner {
  static create(options: {
    name: string;
    client: PythonServiceClient;
    retry: RetryConfig;
  }): ActionRunner {
    return new RetryingActionRunner(
      options.name,
      options.client,
      options.retry,
    );
  }

  private constructor(
    private readonly name: string,
    private readonly client: PythonServiceClient,
    private readonly retry: RetryConfig,
  ) {}

  async run(
    request: RunRequest,
    { getToken, logger, signal }: ActionRunOptions,
  ): Promise<RunOutput> {
    const { attempts } = this.retry;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.client.runAction(request, {
          token: await getToken(),
          signal,
          onMessage: message => relay(message, logger),
        });
      } catch (error) {
        if (signal?.aborted) {
          throw cancelled(request);
        }
        if (!(error instanceof ServiceUnreachableError)) {
          throw error;
        }
        if (attempt >= attempts) {
          throw toBackstageError({
            name: 'ServiceUnavailableError',
            message: `Service ${this.name} could not be reached in ${attempts} tries, the last one failed with: ${error.message}`,
          });
        }
        const delay = this.delayBefore(attempt + 1);
        logger.warn(
          `Service ${this.name} unreachable (${
            error.message
          }), trying again in ${(delay / 1000).toFixed(1)} s (${
            attempt + 1
          }/${attempts})`,
        );
        await this.pause(delay, request, signal);
      }
    }
  }

  private async pause(
    ms: number,
    request: RunRequest,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      await sleep(ms, undefined, { signal });
    } catch {
      // Nothing but the signal ends a pause early.
      throw cancelled(request);
    }
  }

  /** Doubles from try to try; the random part keeps many tasks from coming back at once. */
  private delayBefore(attempt: number): number {
    const full = Math.min(
      this.retry.firstDelayMs * 2 ** (attempt - 2),
      LONGEST_DELAY_MS,
    );
    return full * (0.75 + 0.5 * Math.random());
  }
}

function cancelled({ actionId }: RunRequest): Error {
  return toBackstageError({
    name: 'AbortError',
    message: `${actionId} was cancelled`,
  });
}

function relay(message: RunMessage, logger: LoggerService): void {
  if (message.type === 'log') {
    logger[message.level](message.message);
  } else if (message.type === 'progress') {
    const percent = `${Math.round(message.value * 100)} %`;
    logger.info(message.message ? `${percent} ${message.message}` : percent);
  }
}
