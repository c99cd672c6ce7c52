import { ButtonLink, Flex, Link, Skeleton, Text } from '@backstage/ui';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import { JobPage, JobSummary, Team } from '@internal/plugin-ml-platform-common';
import { ago, clock, shortRef } from '../../format';
import { useStartLink } from '../../links';
import { useJobList } from '../../live';
import { jobListRouteRef, jobRouteRef } from '../../routes';
import { Problem } from '../Problem';
import { StateBadge } from '../StateBadge';
import { TeamBudget } from '../TeamBudget';
import { TeamProblems } from '../TeamProblems';
import styles from './TeamJobs.module.css';

const MOST_JOBS = 20;

/** What holds up a team's jobs, what they may still cost, then those that have not ended, with why each waits. */
export function TeamJobs({ team }: { team: Team }) {
  const jobs = useJobList({ team: team.name, ended: false, limit: MOST_JOBS });
  return (
    <Flex direction="column" gap="4">
      <TeamProblems team={team} />
      {team.budget && <TeamBudget team={team.title} budget={team.budget} />}
      {jobs.error && (
        <Problem
          what={`the jobs of ${team.title}`}
          error={jobs.error}
          onRetry={jobs.reload}
        />
      )}
      {jobs.isLoading && <Waiting />}
      {jobs.value?.items.length === 0 && <Nothing />}
      {jobs.value && jobs.value.items.length > 0 && (
        <ul className={styles.jobs} aria-label={`Jobs of ${team.title}`}>
          {jobs.value.items.map(job => (
            <ActiveJob key={job.id} job={job} />
          ))}
        </ul>
      )}
      {jobs.value && <More team={team} page={jobs.value} />}
    </Flex>
  );
}

function ActiveJob({ job }: { job: JobSummary }) {
  const jobRoute = useRouteRef(jobRouteRef);
  const { phase, since, reason } = job.state;
  return (
    <li className={styles.job}>
      <div className={styles.head}>
        <Link href={jobRoute?.({ id: job.id })} weight="bold">
          {job.name}
        </Link>
        <StateBadge phase={phase} />
        <Text variant="body-small" color="secondary">
          <time dateTime={since} title={clock(since)}>
            {ago(since)}
          </time>
          {` · ${shortRef(job.owner)} · ${job.workers} × ${job.pool}`}
        </Text>
      </div>
      <Text variant="body-small" color="secondary">
        {job.id}
      </Text>
      {reason && <Text variant="body-small">{reason}</Text>}
    </li>
  );
}

function More({ team, page }: { team: Team; page: JobPage }) {
  const list = useRouteRef(jobListRouteRef)?.() ?? '/jobs';
  const hidden = page.total - page.items.length;
  return (
    <Text variant="body-small" color="secondary">
      {hidden > 0 && `${hidden} more run or wait. `}
      <Link href={`${list}?team=${encodeURIComponent(team.name)}`}>
        All jobs of {team.title}
      </Link>
    </Text>
  );
}

function Nothing() {
  const start = useStartLink();
  return (
    <Flex align="center" gap="3" style={{ flexWrap: 'wrap' }}>
      <Text color="secondary">No job is running or waiting.</Text>
      <ButtonLink href={start} size="small" variant="secondary">
        Start a job
      </ButtonLink>
    </Flex>
  );
}

function Waiting() {
  return (
    <Flex direction="column" gap="3" role="status" aria-label="Loading jobs">
      {[1, 2, 3].map(line => (
        <Skeleton key={line} height={40} width="100%" />
      ))}
    </Flex>
  );
}
