import { jobs, metrics, pools, results, teams, workload } from '../fixtures';
import {
  jobSchema,
  jobSummarySchema,
  metricsSchema,
  poolSchema,
  resultsSchema,
  teamSchema,
  workloadSchema,
} from './schemas';

describe('schemas of the job API', () => {
  it('take what the service answers', () => {
    expect(jobs.map(job => jobSchema.parse(job).id)).toEqual(
      jobs.map(job => job.id),
    );
    expect(metricsSchema.parse(metrics).rows[3].objective).toBe(
      metrics.rows[3].objective,
    );
    expect(resultsSchema.parse(results)).toEqual(results);
    expect(workloadSchema.parse(workload)).toEqual(workload);
    expect(teamSchema.array().parse(teams)).toEqual(teams);
    expect(poolSchema.array().parse(pools)).toEqual(pools);
  });

  it('drop fields of a newer service instead of refusing them', () => {
    expect(
      jobSummarySchema.parse({ ...jobs[0], added_later: 1 }),
    ).not.toHaveProperty('added_later');
  });

  it('take a team of a service that knows no problems yet', () => {
    const older = { ...teams[0], problems: undefined };
    expect(teamSchema.parse(older).problems).toEqual([]);
  });

  it('refuse a state that nobody has heard of', () => {
    const strange = {
      ...jobs[0],
      state: { ...jobs[0].state, phase: 'dreaming' },
    };
    expect(() => jobSummarySchema.parse(strange)).toThrow(/phase/);
  });
});
