import { Text } from '@backstage/ui';
import { figure, words } from '../../format';
import { useParameterTitles } from '../../live';
import { FactTable } from '../FactTable';
import { Section } from '../Section';

/** The job's parameters, called as the form that asks for them calls them. */
export function ParameterTable(props: {
  workload: string;
  parameters: Record<string, unknown>;
}) {
  const titles = useParameterTitles(props.workload);
  const rows = Object.entries(props.parameters);
  return (
    <Section title="Parameters">
      {rows.length === 0 ? (
        <Text color="secondary">This workload takes none.</Text>
      ) : (
        <FactTable
          label="Parameters"
          rows={rows.map(([name, value]) => [
            titles.get(name) ?? words(name),
            figure(value),
          ])}
        />
      )}
    </Section>
  );
}
