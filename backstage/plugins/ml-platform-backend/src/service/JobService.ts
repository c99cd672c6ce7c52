import {
  AuthService,
  BackstageCredentials,
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { ServiceUnavailableError } from '@backstage/errors';
import { ML_PLATFORM_PLUGIN_ID } from '@internal/plugin-ml-platform-common';
import { Agent, fetch, type Response as Answer } from 'undici';

export type { Answer };

// A log that is followed may say nothing for hours; Node's own limit is five minutes.
const dispatcher = new Agent({ bodyTimeout: 0 });

export interface JobServiceRequest {
  /** Path below `/v1`, each segment encoded. */
  path: string;
  query?: Record<string, string | undefined>;
  /** On whose behalf; the service decides what they may see. */
  credentials: BackstageCredentials;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/** The job API of the ML Platform service. */
export interface JobService {
  /**
   * Asks the service and answers as soon as it has sent its headers; a refusal is an answer too.
   * Throws ServiceUnavailableError when the service cannot be reached.
   */
  get(request: JobServiceRequest): Promise<Answer>;
}

export class DefaultJobService implements JobService {
  static create(options: {
    auth: AuthService;
    config: RootConfigService;
    logger: LoggerService;
  }) {
    const baseUrl = options.config.getString('mlPlatform.baseUrl');
    return new DefaultJobService(
      options.auth,
      options.logger,
      baseUrl.replace(/\/+$/, ''),
    );
  }

  private constructor(
    private readonly auth: AuthService,
    private readonly logger: LoggerService,
    private readonly baseUrl: string,
  ) {}

  async get(request: JobServiceRequest): Promise<Answer> {
    const { token } = await this.auth.getPluginRequestToken({
      onBehalfOf: request.credentials,
      targetPluginId: ML_PLATFORM_PLUGIN_ID,
    });
    const url = new URL(`${this.baseUrl}/v1${request.path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) {
        url.searchParams.set(name, value);
      }
    }
    try {
      return await fetch(url, {
        dispatcher,
        headers: { ...request.headers, Authorization: `Bearer ${token}` },
        signal: request.signal,
      });
    } catch (error) {
      if (request.signal.aborted) {
        throw error;
      }
      this.logger.warn(`The ML Platform service does not answer: ${error}`);
      throw new ServiceUnavailableError(
        'The ML Platform service does not answer; is it running? (`ml-platform up` starts it)',
      );
    }
  }
}
