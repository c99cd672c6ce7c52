import { DiscoveryApi, FetchApi } from '@backstage/frontend-plugin-api';
import {
  JobEvent,
  ML_PLATFORM_PLUGIN_ID,
  jobPageSchema,
  jobSchema,
  meSchema,
  metricsSchema,
  poolSchema,
  resultsSchema,
  teamSchema,
  workloadSchema,
} from '@internal/plugin-ml-platform-common';
import { z } from 'zod';
import { JobApi, JobFilter, LogRequest } from './JobApi';
import { JobApiError } from './JobApiError';
import { JobEventStream } from './JobEventStream';

interface Ask {
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export class DefaultJobApi implements JobApi {
  static create(options: { discoveryApi: DiscoveryApi; fetchApi: FetchApi }) {
    return new DefaultJobApi(options.discoveryApi, options.fetchApi);
  }

  readonly #events = new JobEventStream((lastId, signal) =>
    this.#ask('/events', {
      headers: lastId ? { 'Last-Event-ID': lastId } : {},
      signal,
    }),
  );

  private constructor(
    private readonly discoveryApi: DiscoveryApi,
    private readonly fetchApi: FetchApi,
  ) {}

  me = () => this.#read('/me', meSchema);
  pools = () => this.#read('/pools', z.array(poolSchema));
  teams = () => this.#read('/teams', z.array(teamSchema));
  workloads = () => this.#read('/workloads', z.array(workloadSchema));

  list(filter: JobFilter) {
    return this.#read('/jobs', jobPageSchema, { query: { ...filter } });
  }

  get(id: string) {
    return this.#read(jobPath(id), jobSchema);
  }

  async manifest(id: string) {
    return (await this.#ask(jobPath(id, 'manifest'))).text();
  }

  metrics(id: string, after?: string) {
    return this.#read(jobPath(id, 'metrics'), metricsSchema, {
      query: { after },
    });
  }

  results(id: string) {
    return this.#read(jobPath(id, 'results'), resultsSchema);
  }

  async resultFile(id: string, path: string) {
    const parts = path.split('/');
    return (await this.#ask(jobPath(id, 'results', ...parts))).blob();
  }

  async previewUrl(id: string, path: string) {
    // An iframe sends no Authorization header: the cookie stands in for it.
    await this.#ask('/.backstage/auth/v1/cookie');
    const parts = [id, ...path.split('/')].map(encodeURIComponent);
    return `${await this.#baseUrl()}/previews/${parts.join('/')}`;
  }

  async log(
    id: string,
    { source, attempt, follow, signal, onText }: LogRequest,
  ) {
    const answer = await this.#ask(jobPath(id, 'logs'), {
      query: { source, attempt, follow },
      signal,
    });
    const reader = answer.body?.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const piece = await reader?.read();
      if (!piece || piece.done) {
        return;
      }
      onText(decoder.decode(piece.value, { stream: true }));
    }
  }

  watch(listener: (event: JobEvent) => void) {
    return this.#events.watch(listener);
  }

  #baseUrl() {
    return this.discoveryApi.getBaseUrl(ML_PLATFORM_PLUGIN_ID);
  }

  async #read<T extends z.ZodType>(path: string, schema: T, ask?: Ask) {
    const answer = await this.#ask(path, ask);
    return schema.parse(await answer.json());
  }

  async #ask(path: string, { query = {}, headers, signal }: Ask = {}) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') {
        search.set(name, String(value));
      }
    }
    const answer = await this.fetchApi.fetch(
      `${await this.#baseUrl()}${path}${search.size > 0 ? `?${search}` : ''}`,
      { headers, signal, credentials: 'include' },
    );
    if (!answer.ok) {
      throw await JobApiError.fromResponse(answer);
    }
    return answer;
  }
}

function jobPath(id: string, ...rest: string[]): string {
  return ['/jobs', ...[id, ...rest].map(encodeURIComponent)].join('/');
}
