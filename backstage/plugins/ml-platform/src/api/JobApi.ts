import { createApiRef } from '@backstage/frontend-plugin-api';
import {
  Job,
  JobEvent,
  JobPage,
  Me,
  Metrics,
  Pool,
  Results,
  Team,
  Workload,
} from '@internal/plugin-ml-platform-common';

export interface JobFilter {
  team?: string;
  phase?: string;
  /** Only jobs that have ended, or only the others. */
  ended?: boolean;
  owner?: string;
  q?: string;
  limit?: number;
  cursor?: string;
}

export interface LogRequest {
  /** Name of one of the job's log sources. */
  source?: string;
  attempt?: number;
  follow?: boolean;
  signal: AbortSignal;
  /** Called with each piece of the log, in order. */
  onText(text: string): void;
}

/** The job API as pages use it. Every call throws JobApiError when it is refused. */
export interface JobApi {
  me(): Promise<Me>;
  list(filter: JobFilter): Promise<JobPage>;
  get(id: string): Promise<Job>;
  manifest(id: string): Promise<string>;
  metrics(id: string, after?: string): Promise<Metrics>;
  results(id: string): Promise<Results>;
  resultFile(id: string, path: string): Promise<Blob>;
  /** Address that an iframe can show; what it serves is sandboxed by its own policy. */
  previewUrl(id: string, path: string): Promise<string>;
  log(id: string, request: LogRequest): Promise<void>;
  pools(): Promise<Pool[]>;
  teams(): Promise<Team[]>;
  workloads(): Promise<Workload[]>;
  /** Calls `listener` at each change of a job; ends with the returned function. */
  watch(listener: (event: JobEvent) => void): () => void;
}

export const jobApiRef = createApiRef<JobApi>({
  id: 'plugin.ml-platform.jobs',
});
