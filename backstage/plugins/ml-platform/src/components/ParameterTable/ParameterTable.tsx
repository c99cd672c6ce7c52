import { Text } from '@backstage/ui';
import { figure, words } from '../../format';
import { FactTable } from '../FactTable';
import { Section } from '../Section';

export function ParameterTable(props: { parameters: Record<string, unknown> }) {
  const rows = Object.entries(props.parameters);
  return (
    <Section title="Parameters">
      {rows.length === 0 ? (
        <Text color="secondary">This workload takes none.</Text>
      ) : (
        <FactTable
          label="Parameters"
          rows={rows.map(([name, value]) => [words(name), figure(value)])}
        />
      )}
    </Section>
  );
}
