import { Flex, Grid, Skeleton } from '@backstage/ui';
import { Job } from '@internal/plugin-ml-platform-common';
import { useJob } from '../../live';
import { AllJobsLink } from '../AllJobsLink';
import { FailureCause } from '../FailureCause';
import { HopTimeline } from '../HopTimeline';
import { JobFacts } from '../JobFacts';
import { JobHeader } from '../JobHeader';
import { LogView } from '../LogView';
import { MetricChart } from '../MetricChart';
import { ParameterTable } from '../ParameterTable';
import { Problem } from '../Problem';
import { ResultsView } from '../ResultsView';
import { StandingReason } from '../StandingReason';

/** Everything about one job, while it changes. */
export function JobView(props: { id: string; isOwnPage?: boolean }) {
  const job = useJob(props.id);
  return (
    <Flex direction="column" gap="4">
      {props.isOwnPage && !job.value && <AllJobsLink />}
      {job.error && (
        <Problem
          what={`job ${props.id}`}
          error={job.error}
          onRetry={job.reload}
        />
      )}
      {job.isLoading && <Waiting />}
      {job.value && <Loaded job={job.value} isOwnPage={props.isOwnPage} />}
    </Flex>
  );
}

function Loaded({ job, isOwnPage }: { job: Job; isOwnPage?: boolean }) {
  // Who looks at a failure wants the log first.
  const hasFailed = job.state.phase === 'failed';
  return (
    <>
      <JobHeader job={job} isOwnPage={isOwnPage} />
      {hasFailed && <FailureCause job={job} />}
      <StandingReason job={job} />
      <HopTimeline job={job} />
      <Grid.Root columns={{ initial: '1', md: '3' }} gap="4">
        <Grid.Item colSpan={{ initial: '1', md: '2' }}>
          <Flex direction="column" gap="4">
            <MetricChart job={job} />
            {hasFailed && <LogView job={job} />}
            <ResultsView job={job} />
            {!hasFailed && <LogView job={job} />}
          </Flex>
        </Grid.Item>
        <Grid.Item colSpan="1">
          <Flex direction="column" gap="4">
            <JobFacts job={job} />
            <ParameterTable
              workload={job.workload}
              parameters={job.spec.parameters}
            />
          </Flex>
        </Grid.Item>
      </Grid.Root>
    </>
  );
}

function Waiting() {
  return (
    <Flex direction="column" gap="4" role="status" aria-label="Loading the job">
      <Skeleton height={64} width="60%" />
      <Skeleton height={90} width="100%" />
      <Skeleton height={320} width="100%" />
    </Flex>
  );
}
