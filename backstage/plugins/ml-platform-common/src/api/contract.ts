/**
 * Holds the schemas to the job API's own description, when this is compiled: a field that the
 * service renames, drops or gives another type breaks `yarn tsc` until the schema follows.
 */
import { z } from 'zod';
import { components } from './openapi';
import * as schemas from './schemas';

type Wire = components['schemas'];

/** `true` when the schema takes every body of the service and reads no field that none has. */
type Reads<Body, Schema extends z.ZodType> = [Body] extends [z.input<Schema>]
  ? Exclude<keyof z.input<Schema>, keyof Body> extends never
    ? true
    : Exclude<keyof z.input<Schema>, keyof Body>
  : Body;

type Contract = {
  budget: Reads<Wire['BudgetView'], typeof schemas.budgetSchema>;
  commit: Reads<Wire['Commit'], typeof schemas.commitSchema>;
  hop: Reads<Wire['Hop'], typeof schemas.hopSchema>;
  image: Reads<Wire['ImageView'], typeof schemas.imageSchema>;
  job: Reads<Wire['Job'], typeof schemas.jobSchema>;
  jobPage: Reads<Wire['JobPage'], typeof schemas.jobPageSchema>;
  jobSpec: Reads<Wire['JobSpec'], typeof schemas.jobSpecSchema>;
  jobSummary: Reads<Wire['JobSummary'], typeof schemas.jobSummarySchema>;
  logSource: Reads<Wire['LogSource'], typeof schemas.logSourceSchema>;
  me: Reads<Wire['Me'], typeof schemas.meSchema>;
  metricSeries: Reads<Wire['MetricSeries'], typeof schemas.metricSeriesSchema>;
  metrics: Reads<Wire['Metrics'], typeof schemas.metricsSchema>;
  phase: Reads<Wire['Phase'], typeof schemas.phaseSchema>;
  pool: Reads<Wire['PoolView'], typeof schemas.poolSchema>;
  preset: Reads<Wire['PresetView'], typeof schemas.presetSchema>;
  resultFile: Reads<Wire['ResultFile'], typeof schemas.resultFileSchema>;
  results: Reads<Wire['Results'], typeof schemas.resultsSchema>;
  state: Reads<Wire['State'], typeof schemas.stateSchema>;
  team: Reads<Wire['TeamView'], typeof schemas.teamSchema>;
  workload: Reads<Wire['WorkloadView'], typeof schemas.workloadSchema>;
};

type Kept<C extends Record<keyof C, true>> = C;

/** Does not compile while a line of the contract is broken; the error names the line. */
export type KeptContract = Kept<Contract>;
