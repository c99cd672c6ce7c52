import {
  Job,
  JobEvent,
  Pool,
  ResultFile,
  Team,
  Workload,
} from '@internal/plugin-ml-platform-common';
import * as world from '@internal/plugin-ml-platform-common/fixtures';
import { JobApi, JobApiError, JobFilter, LogRequest } from '../api';

/** The job API with the fixtures behind it: for tests and the `dev/` app. */
export class FakeJobApi implements JobApi {
  jobs: Job[] = world.jobs;
  poolList: Pool[] = world.pools;
  teamList: Team[] = world.teams;
  resultFiles: ResultFile[] = world.results.files;
  workloadList: Workload[] = [world.workload, world.workloadWithoutImage];
  /** When set, every call is refused with it. */
  refusal?: Error;
  /** How many times the log breaks off after its first line. */
  brokenLogs = 0;
  /** Sources whose pod is not there. */
  readonly refusedLogs = new Set<string>();
  readonly filters: JobFilter[] = [];
  readonly #listeners = new Set<(event: JobEvent) => void>();
  #seq = 0;

  me = () => this.#answer(world.me);
  teams = () => this.#answer(this.teamList);
  pools = () => this.#answer(this.poolList);
  workloads = () => this.#answer(this.workloadList);
  manifest = () => this.#answer(world.manifest);
  resultFile = (_id: string, _path: string) => this.#answer(new Blob(['{}']));
  previewUrl = () => this.#answer('about:blank');

  list(filter: JobFilter) {
    this.filters.push(filter);
    if (
      this.teamList.some(({ name, member }) => name === filter.team && !member)
    ) {
      const message = `you are no member of ${filter.team}`;
      return Promise.reject(
        new JobApiError(403, message, 'your teams: stellarator-design'),
      );
    }
    const found = this.jobs.filter(
      job =>
        (!filter.team || job.team === filter.team) &&
        (filter.ended === undefined || job.state.final === filter.ended) &&
        (!filter.phase || job.state.phase === filter.phase) &&
        (!filter.q || job.id.includes(filter.q)),
    );
    const items = found.slice(0, filter.limit);
    return this.#answer({ items, total: found.length });
  }

  get(id: string) {
    const job = this.jobs.find(candidate => candidate.id === id);
    return job
      ? this.#answer(job)
      : Promise.reject(new JobApiError(404, `there is no job ${id}`));
  }

  metrics(_id: string, after?: string) {
    return this.#answer(after ? { ...world.metrics, rows: [] } : world.metrics);
  }

  results(id: string) {
    const isFinal = this.jobs.find(job => job.id === id)?.state.final;
    return this.#answer(
      isFinal
        ? { ...world.results, files: this.resultFiles }
        : { summary: null, files: [] },
    );
  }

  async log(id: string, { source, attempt, onText }: LogRequest) {
    if (this.refusedLogs.has(`${source}`)) {
      const message = `the ${source} pod of ${id} is not there: not made yet, or gone with its attempt`;
      throw new JobApiError(404, message);
    }
    onText(`${source}: attempt ${attempt} begins\n`);
    if (this.brokenLogs > 0) {
      this.brokenLogs -= 1;
      throw new TypeError('network error');
    }
    onText('it goes on\n');
  }

  watch(listener: (event: JobEvent) => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Replaces a job and says so, as the service does. */
  change(job: Job): void {
    this.jobs = [job, ...this.jobs.filter(other => other.id !== job.id)];
    this.#seq += 1;
    this.#listeners.forEach(listener => listener({ seq: this.#seq, job }));
  }

  #answer<T>(value: T): Promise<T> {
    return this.refusal ? Promise.reject(this.refusal) : Promise.resolve(value);
  }
}
