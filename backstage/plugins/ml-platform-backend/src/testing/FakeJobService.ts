import { createServer, IncomingMessage, Server, ServerResponse } from 'http';
import { AddressInfo } from 'net';
import * as world from '@internal/plugin-ml-platform-common/fixtures';

export interface Call {
  path: string;
  authorization?: string;
  lastEventId?: string;
}

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const PAGE = `<!doctype html><title>Convergence</title><p id="drawn">Not drawn</p>
<script>document.getElementById('drawn').textContent = 'Drawn by a script';</script>`;

/**
 * The job API on a loopback port, with the fixtures behind it: what tests and the `dev/` backend talk to
 * in place of the real service.
 */
export class FakeJobService {
  static async start(port = 0): Promise<FakeJobService> {
    const fake = new FakeJobService();
    await new Promise<void>(resolve =>
      fake.#server.listen(port, '127.0.0.1', resolve),
    );
    return fake;
  }

  readonly calls: Call[] = [];
  /** Streams (logs followed, events) that somebody still listens to. */
  readonly open = new Set<ServerResponse>();
  /** What `/v1/catalog/entities` answers to a cursor. */
  changes: (after: string) => object = () => ({
    cursor: '1',
    reset: false,
    upserts: [],
    deletes: [],
  });

  readonly #server: Server = createServer((req, res) => this.#answer(req, res));

  private constructor() {}

  get url(): string {
    const { port } = this.#server.address() as AddressInfo; // Always so for a TCP server.
    return `http://127.0.0.1:${port}`;
  }

  /** Sends a piece to everybody who follows a stream. */
  send(piece: string): void {
    this.open.forEach(stream => stream.write(piece));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const url = new URL(req.url ?? '/', 'http://service');
    this.calls.push({
      path: url.pathname + url.search,
      authorization: req.headers.authorization,
      lastEventId: req.headers['last-event-id']?.toString(),
    });
    const [, , kind, id, part, ...rest] = url.pathname.split('/');
    const lists: Record<string, unknown> = {
      me: world.me,
      pools: world.pools,
      teams: world.teams,
      workloads: [world.workload, world.workloadWithoutImage],
    };
    if (kind in lists) {
      json(res, lists[kind]);
    } else if (kind === 'events') {
      this.#stream(res, 'text/event-stream', ': welcome\n\n');
    } else if (kind === 'catalog') {
      json(res, this.changes(url.searchParams.get('after') ?? ''));
    } else if (kind === 'jobs' && isForeign(url.searchParams.get('team'))) {
      json(
        res,
        refusal('NotAllowedError', 'you are no member of this team'),
        403,
      );
    } else if (kind === 'jobs' && !id) {
      const items = this.#find(url);
      json(res, { items, total: items.length });
    } else {
      this.#answerJob(res, url, id, part, rest);
    }
  }

  #find(url: URL) {
    const phase = url.searchParams.get('phase');
    const ended = url.searchParams.get('ended');
    return world.jobs.filter(
      job =>
        (!phase || job.state.phase === phase) &&
        (!ended || job.state.final === (ended === 'true')),
    );
  }

  #answerJob(
    res: ServerResponse,
    url: URL,
    id: string,
    part: string | undefined,
    rest: string[],
  ): void {
    const job = world.jobs.find(candidate => candidate.id === id);
    if (!job) {
      json(res, refusal('NotFoundError', `there is no job ${id}`), 404);
    } else if (!part) {
      json(res, job);
    } else if (part === 'manifest') {
      text(res, 'application/yaml', world.manifest);
    } else if (part === 'metrics') {
      const rows = url.searchParams.get('after') ? [] : world.metrics.rows;
      json(res, { ...world.metrics, rows });
    } else if (part === 'logs' && isOfPod(url)) {
      text(res, 'text/plain; charset=utf-8', 'Ray runtime started.\n');
    } else if (
      part === 'logs' &&
      url.searchParams.get('follow') === 'true' &&
      !job.state.final
    ) {
      this.#stream(res, 'text/plain; charset=utf-8', 'epoch 1\n');
    } else if (part === 'logs') {
      text(res, 'text/plain; charset=utf-8', 'epoch 1\nepoch 2\n');
    } else if (rest.length === 0) {
      json(res, job.state.final ? world.results : { summary: null, files: [] });
    } else {
      answerFile(res, rest.join('/'));
    }
  }

  #stream(res: ServerResponse, type: string, beginning: string): void {
    res.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
    res.write(beginning);
    this.open.add(res);
    res.on('close', () => this.open.delete(res));
  }
}

function isForeign(team: string | null): boolean {
  return world.teams.some(({ name, member }) => name === team && !member);
}

function isOfPod(url: URL): boolean {
  return (url.searchParams.get('source') ?? 'job') !== 'job';
}

function answerFile(res: ServerResponse, path: string): void {
  if (path.endsWith('.png')) {
    res.writeHead(200, { 'content-type': 'image/png' }).end(PIXEL);
  } else if (path.endsWith('.html')) {
    text(res, 'text/html', PAGE);
  } else {
    json(res, world.results.summary);
  }
}

function refusal(name: string, message: string, hint?: string) {
  return { error: { name, message, hint } };
}

function json(res: ServerResponse, body: unknown, status = 200): void {
  res
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify(body));
}

function text(res: ServerResponse, type: string, body: string): void {
  res.writeHead(200, { 'content-type': type }).end(body);
}
