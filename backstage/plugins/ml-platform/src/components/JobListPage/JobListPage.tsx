import { ButtonLink, Container, Flex, Skeleton, Text } from '@backstage/ui';
import { Team } from '@internal/plugin-ml-platform-common';
import { useStartLink, useTeamLink } from '../../links';
import { useJobList, useTeams } from '../../live';
import { JobFilters } from '../JobFilters';
import { JobTable } from '../JobTable';
import { Problem } from '../Problem';
import { TeamProblems } from '../TeamProblems';
import { useAddressFilter } from './useAddressFilter';

/** All jobs that the user may see, newest first. */
export function JobListPage() {
  const [filter, setFilter] = useAddressFilter();
  const list = useJobList(filter);
  const teams = useTeams();
  const start = useStartLink();
  const isFiltered = Object.values(filter).some(Boolean);

  return (
    <Container pt="4" pb="8">
      <Flex direction="column" gap="4">
        <Flex justify="between" align="center">
          <Text as="h2" variant="title-small" weight="bold">
            Training jobs
          </Text>
          <ButtonLink href={start} variant="primary">
            Start a job
          </ButtonLink>
        </Flex>
        {teams.value?.map(team => (
          <Banner key={team.name} team={team} />
        ))}
        <JobFilters
          filter={filter}
          teams={teams.value ?? []}
          onChange={setFilter}
        />
        {list.error && (
          <Problem what="the jobs" error={list.error} onRetry={list.reload} />
        )}
        {list.isLoading && <Waiting />}
        {list.value?.items.length === 0 && (
          <Nothing isFiltered={isFiltered} start={start} />
        )}
        {list.value && list.value.items.length > 0 && (
          <JobTable
            jobs={list.value.items}
            total={list.value.total}
            onNext={
              list.value.next_cursor
                ? () =>
                    setFilter({
                      ...filter,
                      cursor: list.value?.next_cursor ?? undefined,
                    })
                : undefined
            }
            onFirst={
              filter.cursor
                ? () => setFilter({ ...filter, cursor: undefined })
                : undefined
            }
          />
        )}
      </Flex>
    </Container>
  );
}

function Banner({ team }: { team: Team }) {
  const page = useTeamLink(team);
  return (
    <TeamProblems
      team={team}
      action={
        page && (
          <ButtonLink href={page} size="small" variant="secondary">
            Team’s page
          </ButtonLink>
        )
      }
    />
  );
}

function Waiting() {
  return (
    <Flex direction="column" gap="3" role="status" aria-label="Loading jobs">
      {[1, 2, 3, 4, 5].map(line => (
        <Skeleton key={line} height={44} width="100%" />
      ))}
    </Flex>
  );
}

function Nothing(props: { isFiltered: boolean; start: string }) {
  return (
    <Flex direction="column" align="center" gap="3" py="10">
      <Text as="h2" variant="title-x-small">
        {props.isFiltered ? 'No job matches' : 'No jobs yet'}
      </Text>
      <Text color="secondary">
        {props.isFiltered
          ? 'Take a filter away to see more.'
          : 'Pick a workload and a pool; the first results are minutes away.'}
      </Text>
      {!props.isFiltered && (
        <ButtonLink href={props.start} variant="primary">
          Start your first job
        </ButtonLink>
      )}
    </Flex>
  );
}
