import { Pool, Preset, Workload } from '@internal/plugin-ml-platform-common';
import { z } from 'zod';
import { counted } from '../format';

const formSchema = z.object({
  workers: z.number().optional().catch(undefined),
  training: z
    .object({ workload: z.string().optional(), preset: z.string().optional() })
    .optional()
    .catch(undefined),
});

/** How many workers a job would have, and who says so. */
export interface AskedWorkers {
  count: number;
  source: string;
}

/** What the whole form asks for: its own number, or else the preset's. */
export function workersAsked(
  form: unknown,
  workloads: Workload[],
): AskedWorkers | undefined {
  const { workers, training } = formSchema.parse(form ?? {});
  if (workers !== undefined) return { count: workers, source: 'You ask' };
  const preset = workloads
    .find(({ name }) => name === training?.workload)
    ?.presets.find(({ name }) => name === training?.preset);
  return (
    preset && {
      count: preset.workers,
      source: `The preset ${preset.title} asks`,
    }
  );
}

/** Why a pool cannot take so many, with what to do. */
export function tooManyFor(
  pool: Pool,
  asked: AskedWorkers | undefined,
): string | undefined {
  if (!asked || asked.count <= pool.max_workers) return undefined;
  const most = counted(pool.max_workers, 'worker');
  return `${asked.source} for ${counted(asked.count, 'worker')}, ${
    pool.title
  } takes at most ${most}: enter a smaller number of workers below, or choose another pool`;
}

/** The most that any pool takes on which a job could be started now. */
export function mostWorkers(pools: Pool[]): number {
  return Math.max(
    0,
    ...pools.filter(pool => pool.available).map(pool => pool.max_workers),
  );
}

export function isTooLarge(preset: Preset, pools: Pool[] = []): boolean {
  return pools.length > 0 && preset.workers > mostWorkers(pools);
}
