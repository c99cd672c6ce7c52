import { createHash } from 'node:crypto';

/**
 * The same for every try of one step, also after the task was recovered. The
 * input is part of it because a step with `each` runs once for each input,
 * and the scaffolder does not tell actions which round it is.
 */
export function idempotencyKey(run: {
  taskId: string;
  stepId?: string;
  actionId: string;
  input: unknown;
}): string {
  const hash = createHash('sha256')
    .update(canonical(run.input))
    .digest('hex')
    .slice(0, 16);
  return [run.taskId, run.stepId ?? run.actionId, hash].join('/');
}

function canonical(input: unknown): string {
  return JSON.stringify(input ?? null, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : value,
  );
}
