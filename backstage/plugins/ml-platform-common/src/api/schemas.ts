/**
 * The job API as this side reads it: one zod schema per model of the service, so that what
 * arrives is parsed and never assumed. Unknown fields are dropped, so that an older portal
 * can talk to a newer service.
 */
import { z } from 'zod';

const jsonObject = z.record(z.string(), z.unknown());
const optional = <T extends z.ZodType>(schema: T) => schema.nullish();

export const phaseSchema = z.enum([
  'submitted',
  'waiting-for-review',
  'queued',
  'starting',
  'running',
  'succeeded',
  'failed',
  'cancelled',
]);

export const stateSchema = z.object({
  phase: phaseSchema,
  reason: optional(z.string()),
  since: z.string(),
  final: z.boolean(),
});

export const headlineSchema = z.object({
  name: z.string(),
  title: z.string(),
  unit: z.string(),
  value: z.number(),
});

export const jobSummarySchema = z.object({
  id: z.string(),
  name: z.string(),
  team: z.string(),
  owner: z.string(),
  workload: z.string(),
  version: z.string(),
  pool: z.string(),
  workers: z.number(),
  state: stateSchema,
  attempt: z.number(),
  attempts: z.number(),
  submitted_at: z.string(),
  started_at: optional(z.string()),
  ended_at: optional(z.string()),
  headline: optional(headlineSchema),
  page_url: z.string(),
});

export const hopSchema = z.object({
  name: z.enum([
    'submitted',
    'applied',
    'admitted',
    'cluster-ready',
    'running',
    'ended',
    'archived',
  ]),
  title: z.string(),
  at: optional(z.string()),
  detail: optional(z.string()),
});

export const commitSchema = z.object({
  sha: z.string(),
  author: z.string(),
  email: z.string(),
  at: z.string(),
});

export const jobSpecSchema = z.object({
  name: z.string(),
  team: z.string(),
  workload: z.string(),
  version: z.string(),
  image: z.string(),
  entrypoint: z.array(z.string()),
  preset: optional(z.string()),
  parameters: jsonObject,
  pool: z.string(),
  workers: z.number(),
  cpu: z.number(),
  memory: z.string(),
  gpus: z.number(),
  head: z.object({ cpu: z.number(), memory: z.string() }),
  priority: z.string(),
  max_duration: z.string(),
  attempts: z.number(),
  resume_from: optional(z.string()),
  parent: optional(z.string()),
  env: z.record(z.string(), z.string()).default({}),
  tags: z.array(z.string()).default([]),
});

export const logSourceSchema = z.object({
  name: z.string(),
  title: z.string(),
  every_attempt: z.boolean(),
});

export const jobSchema = jobSummarySchema.extend({
  spec: jobSpecSchema,
  hops: z.array(hopSchema),
  commit: commitSchema,
  commits: z.array(commitSchema),
  path: z.string(),
  summary: optional(jsonObject),
  cause: optional(z.string()),
  cost: optional(z.object({ amount: z.number(), currency: z.string() })),
  log_sources: z.array(logSourceSchema),
});

export const jobPageSchema = z.object({
  items: z.array(jobSummarySchema),
  total: z.number(),
  next_cursor: optional(z.string()),
});

export const metricSeriesSchema = z.object({
  name: z.string(),
  title: z.string(),
  unit: z.string(),
  goal: optional(z.enum(['minimize', 'maximize'])),
  reference: optional(z.object({ value: z.number(), label: z.string() })),
});

/** A line that training code wrote, so that nothing in it is certain but its attempt. */
export const metricRowSchema = z
  .object({
    attempt: z.number(),
  })
  .catchall(z.unknown());

export const metricsSchema = z.object({
  series: z.array(metricSeriesSchema),
  rows: z.array(metricRowSchema),
  cursor: z.string(),
});

export const resultFileSchema = z.object({
  path: z.string(),
  media_type: z.string(),
  size: z.number(),
  modified_at: z.string(),
});

export const resultsSchema = z.object({
  summary: jsonObject.nullable(),
  files: z.array(resultFileSchema),
});

export const jobEventSchema = z.object({
  seq: z.number(),
  job: jobSummarySchema,
});

export const poolSchema = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  gpus: z.number(),
  accelerator: optional(z.string()),
  cpu_per_node: z.number(),
  memory_per_node: z.string(),
  max_workers: z.number(),
  price_per_worker_hour: z.number(),
  currency: z.string(),
  available: z.boolean(),
  reason: optional(z.string()),
  free_cpu: optional(z.number()),
  free_gpus: optional(z.number()),
});

/** A team's calendar month in UTC, such as `2026-11`. */
export const budgetSchema = z.object({
  month: z.string(),
  amount: z.number(),
  spent: z.number(),
  reserved: z.number(),
  left: z.number(),
  currency: z.string(),
});

export const teamSchema = z.object({
  name: z.string(),
  title: z.string(),
  group: z.string(),
  member: z.boolean(),
  problems: z.array(z.string()).default([]),
  budget: optional(budgetSchema),
});

export const imageSchema = z.object({
  workload: z.string(),
  version: z.string(),
  digest: z.string(),
  reference: z.string(),
  built_at: z.string(),
  size_bytes: z.number(),
});

export const presetSchema = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  parameters: jsonObject,
  workers: z.number(),
  max_duration: z.string(),
});

export const workloadSchema = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  owner: z.string(),
  system: z.string(),
  parameters: jsonObject,
  presets: z.array(presetSchema),
  metrics: z.array(metricSeriesSchema),
  headline: optional(z.string()),
  images: z.array(imageSchema),
});

export const meSchema = z.object({
  user: z.string(),
  name: z.string(),
  teams: z.array(z.string()),
  kind: z.enum(['user', 'service']),
});

/** What `GET /v1/catalog/entities` answers: the changes since a cursor. */
export const catalogChangesSchema = z.object({
  cursor: z.string(),
  reset: z.boolean(),
  upserts: z.array(z.unknown()),
  deletes: z.array(z.string()),
});

/** Body of every refusal of the service. */
export const serviceErrorSchema = z.object({
  error: z.object({
    name: z.string(),
    message: z.string(),
    field: optional(z.string()),
    hint: optional(z.string()),
  }),
});

export type Phase = z.infer<typeof phaseSchema>;
export type JobState = z.infer<typeof stateSchema>;
export type Headline = z.infer<typeof headlineSchema>;
export type JobSummary = z.infer<typeof jobSummarySchema>;
export type Hop = z.infer<typeof hopSchema>;
export type Commit = z.infer<typeof commitSchema>;
export type JobSpec = z.infer<typeof jobSpecSchema>;
export type LogSource = z.infer<typeof logSourceSchema>;
export type Job = z.infer<typeof jobSchema>;
export type JobPage = z.infer<typeof jobPageSchema>;
export type MetricSeries = z.infer<typeof metricSeriesSchema>;
export type MetricRow = z.infer<typeof metricRowSchema>;
export type Metrics = z.infer<typeof metricsSchema>;
export type ResultFile = z.infer<typeof resultFileSchema>;
export type Results = z.infer<typeof resultsSchema>;
export type JobEvent = z.infer<typeof jobEventSchema>;
export type Pool = z.infer<typeof poolSchema>;
export type Budget = z.infer<typeof budgetSchema>;
export type Team = z.infer<typeof teamSchema>;
export type Image = z.infer<typeof imageSchema>;
export type Preset = z.infer<typeof presetSchema>;
export type Workload = z.infer<typeof workloadSchema>;
export type Me = z.infer<typeof meSchema>;
export type CatalogChanges = z.infer<typeof catalogChangesSchema>;
export type ServiceError = z.infer<typeof serviceErrorSchema>;
