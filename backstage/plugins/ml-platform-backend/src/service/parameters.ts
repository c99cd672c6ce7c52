import { InputError } from '@backstage/errors';
import { type JobApiPaths } from '@internal/plugin-ml-platform-common';
import { z } from 'zod';

// `.` and `..` would walk out of the path that they are put into.
const segment = z
  .string()
  .min(1)
  .refine(text => text !== '.' && text !== '..' && !/[/\\]/.test(text), {
    message: 'is not part of a path',
  });
const text = z.string().max(500).optional();

export const jobParameters = z.object({ id: segment });

export const resultParameters = z.object({
  id: segment,
  0: z
    .string()
    .transform(path => path.split('/'))
    .pipe(z.array(segment)),
});

export const nothing = z.object({});

/** Exactly what a route of the service takes, so that `yarn tsc` names a parameter that is forgotten. */
type QueryOf<Path extends keyof JobApiPaths> = JobApiPaths[Path] extends {
  get: { parameters: { query?: infer Query } };
}
  ? Record<keyof NonNullable<Query>, typeof text>
  : never;

export const listQuery = z.object({
  team: text,
  phase: text,
  ended: text,
  workload: text,
  owner: text,
  pool: text,
  q: text,
  limit: text,
  cursor: text,
} satisfies QueryOf<'/v1/jobs'>);

export const logQuery = z.object({
  attempt: text,
  tail: text,
  follow: text,
  source: text,
} satisfies QueryOf<'/v1/jobs/{job_id}/logs'>);

export const catalogQuery = z.object({
  after: text,
} satisfies QueryOf<'/v1/catalog/entities'>);

export const metricsQuery = z.object({
  after: text,
} satisfies QueryOf<'/v1/jobs/{job_id}/metrics'>);

/** What a caller sent, parsed; throws InputError with what is wrong. */
export function parse<T extends z.ZodType>(schema: T, value: unknown) {
  const result = schema.safeParse(value);
  if (!result.success) {
    const { path, message } = result.error.issues[0];
    throw new InputError(`${path.join('.')}: ${message}`);
  }
  return result.data;
}
