import { ButtonLink, Flex, Text } from '@backstage/ui';
import { Job } from '@internal/plugin-ml-platform-common';
import { ago, clock, figure, shortRef, span } from '../../format';
import { useCancelLink, useRunAgainLink } from '../../links';
import { AllJobsLink } from '../AllJobsLink';
import { StateBadge } from '../StateBadge';

export function JobHeader({
  job,
  isOwnPage,
}: {
  job: Job;
  isOwnPage?: boolean;
}) {
  const cancel = useCancelLink(job.id);
  const again = useRunAgainLink(job);
  return (
    <Flex justify="between" align="start" gap="4" style={{ flexWrap: 'wrap' }}>
      <Flex direction="column" gap="2">
        {isOwnPage && <AllJobsLink />}
        <Flex align="center" gap="3" style={{ flexWrap: 'wrap' }}>
          <Text as="h2" variant="title-small" weight="bold">
            {job.name}
          </Text>
          <StateBadge phase={job.state.phase} />
          {job.headline && (
            <Text color="secondary">
              {job.headline.title}{' '}
              <strong>{figure(job.headline.value, job.headline.unit)}</strong>
            </Text>
          )}
        </Flex>
        <Text
          variant="body-medium"
          color="secondary"
          style={{ overflowWrap: 'anywhere' }}
        >
          {job.id} · {shortRef(job.owner)} asked{' '}
          <time dateTime={job.submitted_at} title={clock(job.submitted_at)}>
            {ago(job.submitted_at)}
          </time>
          {job.started_at &&
            ` · ran ${span(job.started_at, job.ended_at ?? Date.now())}`}
        </Text>
        {job.state.final &&
          job.state.phase !== 'failed' &&
          job.state.reason && (
            <Text variant="body-medium" role="status">
              {job.state.reason}
            </Text>
          )}
      </Flex>
      <Flex gap="2">
        {!job.state.final && (
          <ButtonLink href={cancel} variant="secondary">
            Cancel job
          </ButtonLink>
        )}
        <ButtonLink
          href={again}
          variant={job.state.final ? 'primary' : 'secondary'}
        >
          Run again
        </ButtonLink>
      </Flex>
    </Flex>
  );
}
