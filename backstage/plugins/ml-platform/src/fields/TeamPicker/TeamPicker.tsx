import { useCallback, useEffect } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { FieldExtensionComponentProps } from '@backstage/plugin-scaffolder-react';
import { Alert, Select, Skeleton } from '@backstage/ui';
import { jobApiRef } from '../../api';
import { Problem } from '../../components/Problem';
import { money } from '../../format';
import { FieldSurface } from '../FieldSurface';
import { useLoaded } from '../../live';

/** The user's own teams; the only one is chosen by itself. */
export function TeamPicker(props: FieldExtensionComponentProps<string>) {
  return (
    <FieldSurface>
      <Choice {...props} />
    </FieldSurface>
  );
}

function Choice(props: FieldExtensionComponentProps<string>) {
  const { formData, onChange, schema, required } = props;
  const api = useApi(jobApiRef);
  const teams = useLoaded(useCallback(() => api.teams(), [api]));
  const mine = teams.value?.filter(team => team.member);
  const budget = mine?.find(team => team.name === formData)?.budget;
  const only = mine?.length === 1 ? mine[0].name : undefined;

  useEffect(() => {
    if (!formData && only) onChange(only);
  }, [formData, only, onChange]);

  if (teams.error) {
    return (
      <Problem what="the teams" error={teams.error} onRetry={teams.reload} />
    );
  }
  if (!mine) {
    return <Skeleton height={64} width="100%" />;
  }
  if (mine.length === 0) {
    return (
      <Alert
        status="warning"
        icon
        title="You are in no team that can start jobs"
        description="Ask an administrator to add you to a group of gitops/teams."
      />
    );
  }
  return (
    <Select
      label={schema.title}
      description={
        budget
          ? `${money(budget.left, budget.currency)} of ${
              budget.month
            } are left. A job reserves what it may cost at most.`
          : schema.description
      }
      secondaryLabel={required ? 'Required' : undefined}
      placeholder="Choose a team"
      value={formData ?? null}
      options={mine.map(team => ({ value: team.name, label: team.title }))}
      onChange={key => onChange(key === null ? undefined : String(key))}
    />
  );
}
