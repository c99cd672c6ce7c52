import { Link } from '@backstage/ui';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import { Job } from '@internal/plugin-ml-platform-common';
import { clock, money, shortRef, shortSha } from '../../format';
import { jobRouteRef } from '../../routes';
import { FactTable } from '../FactTable';
import { ManifestDialog } from '../ManifestDialog';
import { Section } from '../Section';

/** Which one it is in, or ended with; a job that was cancelled before it ran had none. */
function attemptOf({ attempt, attempts, started_at, state }: Job) {
  const never = state.phase === 'cancelled' && !started_at;
  return never ? `none of ${attempts}` : `${attempt + 1} of ${attempts}`;
}

/** Who asked for what, and where Git says so. */
export function JobFacts({ job }: { job: Job }) {
  const jobRoute = useRouteRef(jobRouteRef);
  const { spec, commit } = job;
  const related = (
    what: string,
    id?: string | null,
  ): Array<[string, JSX.Element]> =>
    id ? [[what, <Link href={jobRoute?.({ id })}>{id}</Link>]] : [];
  const gpus = spec.gpus > 0 ? `, ${spec.gpus} GPU` : '';
  return (
    <Section title="The job" actions={<ManifestDialog job={job} />}>
      <FactTable
        label="The job"
        rows={[
          ['Workload', `${job.workload}:${job.version}`],
          ['Preset', spec.preset ?? '–'],
          ['Team', job.team],
          ['Owner', shortRef(job.owner)],
          ['Pool', job.pool],
          [
            'Workers',
            `${job.workers} × ${spec.cpu} CPU, ${spec.memory}${gpus}`,
          ],
          ['Head', `${spec.head.cpu} CPU, ${spec.head.memory}`],
          ['Priority', spec.priority],
          ['Time limit', `${spec.max_duration} per attempt`],
          ['Attempt', attemptOf(job)],
          ...(job.cost
            ? ([['Cost', money(job.cost.amount, job.cost.currency)]] as Array<
                [string, string]
              >)
            : []),
          ...related('Made from', spec.parent),
          ...related('Goes on from', spec.resume_from),
          [
            'Commit',
            <span title={`${commit.sha}, ${clock(commit.at)}`}>
              <code>{shortSha(commit.sha)}</code> by {commit.author}
            </span>,
          ],
          ['Manifest', <code>{job.path}</code>],
        ]}
      />
    </Section>
  );
}
