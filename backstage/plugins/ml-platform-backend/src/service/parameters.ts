import { InputError } from '@backstage/errors';
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

export const listQuery = z.object({
  team: text,
  phase: text,
  workload: text,
  owner: text,
  pool: text,
  q: text,
  limit: text,
  cursor: text,
});

export const logQuery = z.object({ attempt: text, tail: text, follow: text });

export const catalogQuery = z.object({ after: text });

export const metricsQuery = z.object({ after: text });

/** What a caller sent, parsed; throws InputError with what is wrong. */
export function parse<T extends z.ZodType>(schema: T, value: unknown) {
  const result = schema.safeParse(value);
  if (!result.success) {
    const { path, message } = result.error.issues[0];
    throw new InputError(`${path.join('.')}: ${message}`);
  }
  return result.data;
}
