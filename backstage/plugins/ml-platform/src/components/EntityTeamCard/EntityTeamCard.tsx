import { stringifyEntityRef } from '@backstage/catalog-model';
import { useEntity } from '@backstage/plugin-catalog-react';
import { Flex, Skeleton, Text } from '@backstage/ui';
import { useTeams } from '../../live';
import { Problem } from '../Problem';
import { Section } from '../Section';
import { TeamJobs } from '../TeamJobs';

/** On the page of a catalog group: how the jobs of the platform's team stand that it is. */
export function EntityTeamCard() {
  const group = stringifyEntityRef(useEntity().entity);
  const teams = useTeams();
  // The catalog's references ignore case.
  const found = teams.value?.filter(
    team => team.group.toLocaleLowerCase('en-US') === group,
  );
  return (
    <Section title="Training jobs">
      <Flex direction="column" gap="5">
        {teams.error && (
          <Problem what="the team" error={teams.error} onRetry={teams.reload} />
        )}
        {teams.isLoading && (
          <Skeleton
            height={64}
            width="100%"
            role="status"
            aria-label="Loading the team"
          />
        )}
        {found?.length === 0 && (
          <Text color="secondary">
            This group is no team of the ML platform, so it has no training
            jobs.
          </Text>
        )}
        {found?.map(team => (
          <TeamJobs key={team.name} team={team} />
        ))}
      </Flex>
    </Section>
  );
}
