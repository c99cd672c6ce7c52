import { useEntity } from '@backstage/plugin-catalog-react';
import { EntityContentLayoutProps } from '@backstage/plugin-catalog-react/alpha';
import { Flex, Grid } from '@backstage/ui';
import { JOB_ID_ANNOTATION } from '@internal/plugin-ml-platform-common';
import { JobView } from '../JobView';

/** The overview of a job's entity: the job itself, then what other plugins know of the entity. */
export function EntityJobLayout({ cards }: EntityContentLayoutProps) {
  const { entity } = useEntity();
  const id =
    entity.metadata.annotations?.[JOB_ID_ANNOTATION] ?? entity.metadata.name;
  return (
    <Flex direction="column" gap="6">
      <JobView key={id} id={id} />
      <Grid.Root columns={{ initial: '1', md: '2' }} gap="4">
        {cards.map((card, index) => (
          <Grid.Item key={index}>{card.element}</Grid.Item>
        ))}
      </Grid.Root>
    </Flex>
  );
}
