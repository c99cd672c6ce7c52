import { useEffect, useState } from 'react';
import { Flex, SearchField, Select, Switch } from '@backstage/ui';
import { Team, phaseSchema } from '@internal/plugin-ml-platform-common';
import { JobFilter } from '../../api';
import { words } from '../../format';

const ALL = 'all';
const TYPING_MS = 300;

export function JobFilters(props: {
  filter: JobFilter;
  teams: Team[];
  onChange(filter: JobFilter): void;
}) {
  const { filter, teams, onChange } = props;
  const [typed, setTyped] = useState(filter.q ?? '');
  // Each change of the filter begins at the first page again.
  const set = (change: JobFilter) =>
    onChange({ ...filter, cursor: undefined, ...change });

  useEffect(() => {
    if (typed === (filter.q ?? '')) return undefined;
    const timer = setTimeout(
      () => onChange({ ...filter, cursor: undefined, q: typed || undefined }),
      TYPING_MS,
    );
    return () => clearTimeout(timer);
  }, [typed, filter, onChange]);

  return (
    <Flex gap="3" align="center" style={{ flexWrap: 'wrap' }}>
      <SearchField
        aria-label="Search jobs"
        placeholder="Search by name or id"
        size="small"
        value={typed}
        onChange={setTyped}
        style={{ flex: '1 1 240px' }}
      />
      <Choice
        label="State"
        all="All states"
        value={filter.phase}
        options={phaseSchema.options.map(phase => [phase, words(phase)])}
        onChange={phase => set({ phase })}
      />
      <Choice
        label="Team"
        all="All my teams"
        value={filter.team}
        options={teams
          .filter(team => team.member)
          .map(team => [team.name, team.title])}
        onChange={team => set({ team })}
      />
      <Switch
        label="Only mine"
        isSelected={filter.owner === 'me'}
        onChange={mine => set({ owner: mine ? 'me' : undefined })}
      />
    </Flex>
  );
}

function Choice(props: {
  label: string;
  all: string;
  value?: string;
  options: string[][];
  onChange(value?: string): void;
}) {
  return (
    <Select
      aria-label={props.label}
      size="small"
      value={props.value ?? ALL}
      options={[
        { value: ALL, label: props.all },
        ...props.options.map(([value, label]) => ({ value, label })),
      ]}
      onChange={key =>
        props.onChange(key === ALL || key === null ? undefined : String(key))
      }
    />
  );
}
