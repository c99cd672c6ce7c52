import { TemplateAction } from '@backstage/plugin-scaffolder-node';
import { z } from 'zod';

/** A JSON Schema as the scaffolder takes it. */
export type JsonSchema = NonNullable<
  NonNullable<TemplateAction['schema']>['input']
>;

const jsonSchema = z.custom<JsonSchema>(
  value => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be a JSON Schema object',
);
const jsonObject = z.record(z.string(), z.json());

export const actionDefinition = z.object({
  id: z.string().min(1).max(200),
  description: z.string().default(''),
  input: jsonSchema,
  output: jsonSchema.default({}),
  examples: z
    .array(z.object({ description: z.string(), input: jsonObject }))
    .default([]),
  supportsDryRun: z.boolean().default(false),
  readOnly: z.boolean().default(false),
});
export type ActionDefinition = z.infer<typeof actionDefinition>;

export const actionList = z.object({
  protocol: z.literal(1),
  revision: z.string(),
  actions: z
    .array(actionDefinition)
    .refine(
      actions => new Set(actions.map(a => a.id)).size === actions.length,
      'ids must be unique',
    ),
});
export type ActionList = z.infer<typeof actionList>;

export const failure = z.object({
  name: z.string(),
  message: z.string(),
  field: z.string().nullish(),
  hint: z.string().nullish(),
  retryable: z.boolean().nullish(),
});
export type Failure = z.infer<typeof failure>;

export const failureBody = z.object({ error: failure });

/** One line of the answer to a run. */
export const runMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('log'),
    level: z.enum(['info', 'warn', 'error']),
    message: z.string(),
  }),
  z.object({
    type: z.literal('progress'),
    value: z.number().min(0).max(1),
    message: z.string().nullish(),
  }),
  z.object({ type: z.literal('heartbeat') }),
  z.object({ type: z.literal('output'), output: jsonObject }),
  z.object({ type: z.literal('error'), error: failure }),
]);
export type RunMessage = z.infer<typeof runMessage>;
export type RunOutput = z.infer<typeof jsonObject>;

export interface RunRequest {
  actionId: string;
  input: unknown;
  dryRun: boolean;
  idempotencyKey: string;
  secrets: Record<string, string>;
}
