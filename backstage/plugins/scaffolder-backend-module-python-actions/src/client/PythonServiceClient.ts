import { isError } from '@backstage/errors';
import { z } from 'zod';
import {
  ActionList,
  ProtocolError,
  RunMessage,
  RunOutput,
  RunRequest,
  ServiceUnreachableError,
  actionList,
  failureBody,
  isRetryable,
  nameForStatus,
  runMessage,
  toBackstageError,
} from '../protocol';
import { Watchdog } from './Watchdog';
import { readLines } from './readLines';

const MAX_LINE_LENGTH = 1024 * 1024;
const LIST_TIMEOUT_MS = 10_000;
/** After its output a service may say good-bye; hanging up at once would look like a cancellation. */
const FAREWELL_MS = 1_000;
const UNREACHABLE_STATUSES = new Set([502, 503, 504]);

export interface RunOptions {
  token: string;
  signal?: AbortSignal;
  onMessage(message: RunMessage): void;
}

/** Speaks the actions protocol, once per call. */
export interface PythonServiceClient {
  listActions(options: { token: string }): Promise<ActionList>;

  /**
   * @throws ServiceUnreachableError when trying again with the same key may help.
   */
  runAction(request: RunRequest, options: RunOptions): Promise<RunOutput>;
}

export class DefaultPythonServiceClient implements PythonServiceClient {
  static create(options: {
    name: string;
    baseUrl: string;
    idleTimeoutMs: number;
  }): PythonServiceClient {
    return new DefaultPythonServiceClient(
      options.name,
      options.baseUrl,
      options.idleTimeoutMs,
    );
  }

  private constructor(
    private readonly name: string,
    private readonly baseUrl: string,
    private readonly idleTimeoutMs: number,
  ) {}

  async listActions({ token }: { token: string }): Promise<ActionList> {
    const response = await this.send('/v1/actions', {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(LIST_TIMEOUT_MS),
    });
    return this.parse(actionList, await this.text(response), 'list of actions');
  }

  async runAction(
    request: RunRequest,
    { token, signal, onMessage }: RunOptions,
  ): Promise<RunOutput> {
    const { actionId, ...body } = request;
    const seconds = this.idleTimeoutMs / 1000;
    const watchdog = new Watchdog(
      this.idleTimeoutMs,
      () => new ServiceUnreachableError(`it sent nothing for ${seconds} s`),
    );
    try {
      const response = await this.send(
        `/v1/actions/${encodeURIComponent(actionId)}/run`,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/x-ndjson',
          },
          body: JSON.stringify(body),
          signal: signal
            ? AbortSignal.any([signal, watchdog.signal])
            : watchdog.signal,
        },
      );
      return await this.follow(response, watchdog, onMessage);
    } catch (error) {
      throw this.explain(error, signal);
    } finally {
      watchdog.stop();
    }
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      // A redirect would carry the token to a place that nobody configured.
      response = await fetch(this.baseUrl + path, {
        ...init,
        redirect: 'error',
      });
    } catch (error) {
      throw this.explain(error, init.signal);
    }
    if (!response.ok) {
      throw await this.toError(response);
    }
    return response;
  }

  private async follow(
    response: Response,
    watchdog: Watchdog,
    onMessage: (message: RunMessage) => void,
  ): Promise<RunOutput> {
    let output: RunOutput | undefined;
    try {
      for await (const line of readLines(
        response.body ?? new ReadableStream(),
        MAX_LINE_LENGTH,
      )) {
        if (output || !line.trim()) {
          continue;
        }
        const message = this.parse(runMessage, line, 'line');
        watchdog.feed();
        onMessage(message);
        if (message.type === 'error') {
          throw isRetryable(message.error)
            ? new ServiceUnreachableError(message.error.message)
            : toBackstageError(message.error);
        }
        if (message.type === 'output') {
          output = message.output;
          watchdog.feed(FAREWELL_MS);
        }
      }
    } catch (error) {
      // Once the output is here, how the connection ends changes nothing.
      if (!output) {
        throw error;
      }
    }
    if (!output) {
      throw new ServiceUnreachableError(
        'the connection ended before the result',
      );
    }
    return output;
  }

  /** Anything that went wrong on the wire is worth another try; a cancellation is not. */
  private explain(error: unknown, signal?: AbortSignal | null): unknown {
    if (error instanceof RangeError) {
      return new ProtocolError(`Service ${this.name}: ${error.message}`);
    }
    if (signal?.aborted && signal.reason instanceof ServiceUnreachableError) {
      return signal.reason;
    }
    if (!isError(error) || signal?.aborted) {
      return error;
    }
    if (error.name === 'TimeoutError') {
      return new ServiceUnreachableError('it did not answer in time');
    }
    // fetch reports a refused or broken connection as a TypeError with a cause.
    if (error.name === 'TypeError' && isError(error.cause)) {
      const { code, message } = error.cause;
      return new ServiceUnreachableError(
        typeof code === 'string' && !code.startsWith('UND_') ? code : message,
      );
    }
    return error;
  }

  private async toError(response: Response): Promise<Error> {
    const text = await this.text(response);
    const body = failureBody.safeParse(parseJson(text));
    if (UNREACHABLE_STATUSES.has(response.status)) {
      return new ServiceUnreachableError(
        body.data?.error.message ?? `it answered ${response.status}`,
      );
    }
    return toBackstageError(
      body.data?.error ?? {
        name: nameForStatus(response.status),
        message: `Service ${this.name} answered ${
          response.status
        }: ${text.slice(0, 200)}`,
      },
    );
  }

  private async text(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.explain(error);
    }
  }

  private parse<T>(schema: z.ZodType<T>, text: string, what: string): T {
    const result = schema.safeParse(parseJson(text));
    if (!result.success) {
      const problem = z.prettifyError(result.error).replace(/\s+/g, ' ');
      throw new ProtocolError(
        `Service ${
          this.name
        } sent a ${what} that the actions protocol does not know: '${text.slice(
          0,
          120,
        )}' (${problem})`,
      );
    }
    return result.data;
  }
}

/** Text that is not JSON becomes undefined, which every schema here refuses. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
