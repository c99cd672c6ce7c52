import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { z } from 'zod';

const FOLDER = resolvePackagePath(
  '@internal/plugin-scaffolder-backend-module-python-actions',
  '../../../tests/contract/actions',
);

const transcript = z.strictObject({
  name: z.string(),
  about: z.string(),
  conforming: z.boolean(),
  request: z.strictObject({
    action: z.string(),
    input: z.record(z.string(), z.json()),
    dryRun: z.boolean(),
  }),
  service: z.array(
    z.strictObject({
      status: z.number().optional(),
      lines: z.array(z.union([z.string(), z.record(z.string(), z.json())])),
      pauseMs: z.number().default(0),
      then: z.enum(['end', 'close', 'hang']),
    }),
  ),
  host: z.strictObject({
    output: z.record(z.string(), z.json()).optional(),
    error: z.strictObject({ name: z.string(), message: z.string() }).optional(),
    log: z.array(z.string()).optional(),
    connections: z.number().default(1),
    cancelAfter: z.string().optional(),
  }),
});
export type Transcript = z.infer<typeof transcript>;
export type Exchange = Transcript['service'][number];

export function readTranscripts(): Transcript[] {
  return readdirSync(FOLDER)
    .filter(file => file.endsWith('.json'))
    .map(file =>
      transcript.parse(JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))),
    );
}
