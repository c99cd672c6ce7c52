import { useRouteRef } from '@backstage/frontend-plugin-api';
import {
  Button,
  Cell,
  CellText,
  ColumnConfig,
  Flex,
  Table,
  Text,
} from '@backstage/ui';
import { JobSummary } from '@internal/plugin-ml-platform-common';
import { ago, clock, figure, shortRef, span } from '../../format';
import { jobRouteRef } from '../../routes';
import { StateBadge } from '../StateBadge';
import styles from './JobTable.module.css';

const columns: ColumnConfig<JobSummary>[] = [
  {
    id: 'name',
    label: 'Job',
    isRowHeader: true,
    defaultWidth: '2fr',
    minWidth: 200,
    cell: job => (
      <Cell>
        <Text className={styles.name}>{job.name}</Text>
        <Text className={styles.name} variant="body-small" color="secondary">
          {job.id}
        </Text>
      </Cell>
    ),
  },
  {
    id: 'state',
    label: 'State',
    minWidth: 140,
    cell: job => (
      <Cell>
        <StateBadge phase={job.state.phase} />
      </Cell>
    ),
  },
  {
    id: 'headline',
    label: 'Result',
    cell: job => (
      <CellText
        title={
          job.headline ? figure(job.headline.value, job.headline.unit) : '–'
        }
        description={job.headline?.title}
      />
    ),
  },
  {
    id: 'workload',
    label: 'Workload',
    minWidth: 170,
    cell: job => <CellText title={job.workload} description={job.version} />,
  },
  {
    id: 'pool',
    label: 'Pool',
    cell: job => (
      <CellText
        title={job.pool}
        description={job.workers === 1 ? '1 worker' : `${job.workers} workers`}
      />
    ),
  },
  {
    id: 'owner',
    label: 'Owner',
    minWidth: 150,
    cell: job => (
      <CellText title={shortRef(job.owner)} description={job.team} />
    ),
  },
  {
    id: 'submitted',
    label: 'Submitted',
    minWidth: 88,
    cell: job => (
      <Cell>
        <time dateTime={job.submitted_at} title={clock(job.submitted_at)}>
          {ago(job.submitted_at)}
        </time>
      </Cell>
    ),
  },
  {
    id: 'duration',
    label: 'Duration',
    minWidth: 110,
    cell: job => (
      <CellText
        title={
          job.started_at
            ? span(job.started_at, job.ended_at ?? Date.now())
            : '–'
        }
      />
    ),
  },
];

export function JobTable(props: {
  jobs: JobSummary[];
  total: number;
  onNext?: () => void;
  onFirst?: () => void;
}) {
  const jobRoute = useRouteRef(jobRouteRef);
  return (
    <Flex direction="column" gap="3">
      <Table
        columnConfig={columns}
        data={props.jobs}
        pagination={{ type: 'none' }}
        rowConfig={{ getHref: job => jobRoute?.({ id: job.id }) }}
      />
      <Flex align="center" gap="3">
        <Text variant="body-small" color="secondary">
          {props.total === 1 ? '1 job' : `${props.total} jobs`}
        </Text>
        {props.onFirst && (
          <Button size="small" variant="secondary" onPress={props.onFirst}>
            Newest
          </Button>
        )}
        {props.onNext && (
          <Button size="small" variant="secondary" onPress={props.onNext}>
            Older
          </Button>
        )}
      </Flex>
    </Flex>
  );
}
