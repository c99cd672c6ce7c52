import {
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError } from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { jobReadPermission } from '@internal/plugin-ml-platform-common';
import express, { Request, Response, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { z } from 'zod';
import { carry, untilClosed } from './carry';
import { Answer, JobService, JobServiceRequest } from './JobService';
import {
  catalogQuery,
  jobParameters,
  listQuery,
  logQuery,
  metricsQuery,
  nothing,
  parse,
  resultParameters,
} from './parameters';

// A result is a stranger's page: it may draw itself, and reach nothing of ours.
const PREVIEW_POLICY = [
  'sandbox allow-scripts',
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob: data:",
  "style-src 'unsafe-inline'",
  'img-src data: blob:',
  'font-src data:',
].join('; ');

export interface RouterOptions {
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  jobs: JobService;
}

/** The read side of the job API, for signed-in users. Jobs are started and ended by actions, not here. */
export function createRouter(options: RouterOptions): Router {
  const { httpAuth, permissions, jobs } = options;
  const router = PromiseRouter();
  router.use(express.json());

  async function authorise(
    credentials: BackstageCredentials,
  ): Promise<BackstageCredentials> {
    const [decision] = await permissions.authorize(
      [{ permission: jobReadPermission }],
      { credentials },
    );
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError('You are not allowed to see training jobs');
    }
    return credentials;
  }

  function read<Q extends z.ZodType<Record<string, string | undefined>>>(
    query: Q,
    path: (parameters: unknown) => string,
    allow: Array<'user' | 'service'> = ['user'],
  ) {
    return async (req: Request, res: Response) => {
      const credentials = await authorise(
        await httpAuth.credentials(req, { allow }),
      );
      const lastEvent = req.header('last-event-id');
      await carryUntilClosed(res, {
        path: path(req.params),
        query: parse(query, req.query),
        credentials,
        headers: lastEvent ? { 'Last-Event-ID': lastEvent } : {},
      });
    };
  }

  const jobPath = (rest: string) => (parameters: unknown) =>
    `/jobs/${encodeURIComponent(parse(jobParameters, parameters).id)}${rest}`;

  for (const name of ['me', 'pools', 'teams', 'workloads']) {
    router.get(
      `/${name}`,
      read(nothing, () => `/${name}`),
    );
  }
  router.get(
    '/events',
    read(nothing, () => '/events', ['user', 'service']),
  );
  router.get(
    '/catalog/entities',
    read(catalogQuery, () => '/catalog/entities', ['service']),
  );
  router.get(
    '/jobs',
    read(listQuery, () => '/jobs'),
  );
  router.get('/jobs/:id', read(nothing, jobPath('')));
  router.get('/jobs/:id/manifest', read(nothing, jobPath('/manifest')));
  router.get('/jobs/:id/logs', read(logQuery, jobPath('/logs')));
  router.get('/jobs/:id/metrics', read(metricsQuery, jobPath('/metrics')));
  router.get('/jobs/:id/results', read(nothing, jobPath('/results')));
  router.get('/jobs/:id/results/*', read(nothing, resultPath));

  router.get('/previews/:id/*', async (req, res) => {
    const credentials = await authorise(
      await httpAuth.credentials(req, {
        allow: ['user'],
        allowLimitedAccess: true,
      }),
    );
    await carryUntilClosed(
      res,
      { path: resultPath(req.params), credentials },
      { 'content-security-policy': PREVIEW_POLICY },
    );
  });

  async function carryUntilClosed(
    client: Response,
    request: Omit<JobServiceRequest, 'signal'>,
    headers?: Record<string, string>,
  ) {
    const signal = untilClosed(client);
    let answer: Answer;
    try {
      answer = await jobs.get({ ...request, signal });
    } catch (error) {
      if (signal.aborted) return; // nobody waits for the answer any more
      throw error;
    }
    try {
      await carry(answer, client, headers);
    } catch (error) {
      // Headers are out, so nobody can be told but by the broken connection itself; whoever
      // closed it first, both ends are closed now.
      if (!client.destroyed) {
        client.destroy(error instanceof Error ? error : undefined);
      }
    }
  }

  return router;
}

function resultPath(parameters: unknown): string {
  const { id, 0: path } = parse(resultParameters, parameters);
  return `/jobs/${[id, 'results', ...path].map(encodeURIComponent).join('/')}`;
}
