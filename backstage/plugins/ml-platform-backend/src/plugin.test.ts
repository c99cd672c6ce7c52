import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { Job } from '@internal/plugin-ml-platform-common';
import {
  preemptedJob,
  runningJob,
  startingJob,
  teams,
} from '@internal/plugin-ml-platform-common/fixtures';
import { mlPlatformPlugin } from './plugin';
import { createRouter } from './service/router';
import { FakeJobService } from './testing/FakeJobService';

/** Every route of the plugin's table, with its places filled. */
const everyPath = createRouter({
  httpAuth: mockServices.httpAuth.mock(),
  permissions: mockServices.permissions.mock(),
  jobs: { get: jest.fn() },
}).stack.flatMap(layer =>
  layer.route
    ? [layer.route.path.replace(':id', runningJob.id).replace('*', 'a.html')]
    : [],
);

type Backend = Awaited<ReturnType<typeof startTestBackend>>;

describe('ml-platform backend', () => {
  let service: FakeJobService;
  let backend: Backend;

  async function startBackend(
    baseUrl: string,
    result:
      | AuthorizeResult.ALLOW
      | AuthorizeResult.DENY = AuthorizeResult.ALLOW,
  ) {
    return startTestBackend({
      features: [
        mlPlatformPlugin,
        mockServices.rootConfig.factory({ data: { mlPlatform: { baseUrl } } }),
        mockServices.permissions.factory({ result }),
      ],
    });
  }

  function ask(path: string, init: RequestInit = {}, from = backend) {
    return fetch(
      `http://127.0.0.1:${from.server.port()}/api/ml-platform${path}`,
      init,
    );
  }
  const user = { Authorization: mockCredentials.user.header() };

  beforeAll(async () => {
    service = await FakeJobService.start();
    backend = await startBackend(service.url);
  });
  beforeEach(() => {
    service.calls.length = 0;
  });
  afterAll(async () => {
    await backend.stop();
    await service.stop();
  });

  it.each(everyPath)(
    'refuses %s without identity and never asks the service',
    async path => {
      const answer = await ask(path, {
        headers: { Authorization: mockCredentials.none.header() },
      });
      expect(answer.status).toBe(401);
      expect(service.calls).toEqual([]);
    },
  );

  it('refuses a user whom the permission policy denies', async () => {
    const strict = await startBackend(service.url, AuthorizeResult.DENY);
    const answer = await ask('/jobs', { headers: user }, strict);
    expect(answer.status).toBe(403);
    expect(service.calls).toEqual([]);
    await strict.stop();
  });

  it('asks in the name of the user and hands filters on', async () => {
    const answer = await ask('/jobs?phase=running&q=quick&evil=1', {
      headers: user,
    });
    expect((await answer.json()).items).toHaveLength(1);
    expect(service.calls[0].path).toBe('/v1/jobs?phase=running&q=quick');
    expect(service.calls[0].authorization).toBe(
      `Bearer ${mockCredentials.service.token({
        onBehalfOf: mockCredentials.user(),
        targetPluginId: 'ml-platform',
      })}`,
    );
  });

  it('hands on whether jobs have ended, and which log is meant', async () => {
    const list = await ask('/jobs?ended=false', { headers: user });
    const { items } = await list.json();
    expect(items.map((job: Job) => job.id)).toContain(preemptedJob.id);
    expect(items.some((job: Job) => job.state.final)).toBe(false);
    const log = await ask(
      `/jobs/${startingJob.id}/logs?source=head&tail=9&follow=true&attempt=1`,
      { headers: user },
    );
    expect(await log.text()).toBe('Ray runtime started.\n');
    expect(service.calls.map(call => call.path)).toEqual([
      '/v1/jobs?ended=false',
      `/v1/jobs/${startingJob.id}/logs?attempt=1&tail=9&follow=true&source=head`,
    ]);
  });

  it('carries what holds up the jobs of teams', async () => {
    const answer = await ask('/teams', { headers: user });
    expect(await answer.json()).toEqual(teams);
  });

  it('answers with the service’s own refusal', async () => {
    const answer = await ask('/jobs/nothing', { headers: user });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({
      error: { name: 'NotFoundError', message: 'there is no job nothing' },
    });
  });

  it.each(['/jobs/%2e%2e', '/jobs/a%2fb', '/jobs/a/results/x/%2e%2e/%2e%2e/y'])(
    'does not walk out of the job API with %s',
    async path => {
      const answer = await ask(path, { headers: user });
      expect([400, 404]).toContain(answer.status);
      expect(service.calls).toEqual([]);
    },
  );

  it('says that the service is down in a sentence', async () => {
    const gone = await FakeJobService.start();
    const lonely = await startBackend(gone.url);
    await gone.stop();
    const answer = await ask('/pools', { headers: user }, lonely);
    expect(answer.status).toBe(503);
    expect((await answer.json()).error.message).toContain('does not answer');
    await lonely.stop();
  });

  it('shows log lines when they are written, and hangs up when the reader does', async () => {
    const reader = new AbortController();
    const answer = await ask(`/jobs/${runningJob.id}/logs?follow=true`, {
      headers: user,
      signal: reader.signal,
    });
    const lines = answer.body!.getReader();
    const next = async () =>
      new TextDecoder().decode((await lines.read()).value);
    expect(await next()).toBe('epoch 1\n');
    service.send('epoch 2\n');
    expect(await next()).toBe('epoch 2\n');
    reader.abort();
    await eventually(() => service.open.size === 0);
  });

  it('resumes events where the reader was, and ends when the service ends', async () => {
    const answer = await ask('/events', {
      headers: { ...user, 'Last-Event-ID': 'j:7' },
    });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    // Or the portal's compression would gather events until there are many.
    expect(answer.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(service.calls[0].lastEventId).toBe('j:7');
    service.send('id: j:8\ndata: {}\n\n');
    service.open.forEach(stream => stream.end());
    expect(await answer.text()).toContain('id: j:8\ndata: {}');
  });

  it('tells the catalog about all entities, and nobody else', async () => {
    const path = '/catalog/entities?after=x';
    const refused = await ask(path, { headers: user });
    expect(refused.status).toBe(403);
    const answer = await ask(path, {
      headers: { Authorization: mockCredentials.service.header() },
    });
    expect(await answer.json()).toMatchObject({ cursor: '1' });
    expect(service.calls[0].path).toBe('/v1/catalog/entities?after=x');
  });

  it('carries files byte by byte', async () => {
    const answer = await ask(`/jobs/${runningJob.id}/results/boundary.png`, {
      headers: user,
    });
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect((await answer.arrayBuffer()).byteLength).toBe(70);
  });

  it('shows pages of results in a sandbox, to the cookie of a signed-in user', async () => {
    const path = `/previews/${runningJob.id}/convergence.html`;
    const answer = await ask(path, {
      headers: { cookie: mockCredentials.limitedUser.cookie() },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^sandbox allow-scripts; default-src 'none'/,
    );
  });
});

async function eventually(check: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!check()) {
    if (Date.now() > deadline) {
      throw new Error('It did not happen within 5 s');
    }
    await new Promise(resolve => setImmediate(resolve));
  }
}
