import { useState } from 'react';
import { Flex, Select, Skeleton, Text, ToggleButton } from '@backstage/ui';
import {
  Job,
  MetricSeries,
  Metrics,
} from '@internal/plugin-ml-platform-common';
import { useMetrics } from '../../live';
import { Problem } from '../Problem';
import { Section } from '../Section';
import { MetricLines } from './MetricLines';
import { MetricTable } from './MetricTable';
import { pointsOf } from './pointsOf';

/** One metric of the job over its steps, while it is written. */
export function MetricChart({ job }: { job: Job }) {
  const metrics = useMetrics(job.id, job.state.final);
  const [picked, setPicked] = useState<string>();
  const [asTable, setAsTable] = useState(false);
  const shown = seriesOf(metrics.value, job.headline?.name);
  // Until somebody picks one: a single figure is no curve, so a metric that has two goes before it.
  const series =
    shown.find(one => one.name === picked) ??
    shown.find(one => isCurve(metrics.value, one)) ??
    shown[0];

  return (
    <Section
      title="Metrics"
      actions={
        series && (
          <>
            <Select
              aria-label="Metric"
              size="small"
              value={series.name}
              options={shown.map(one => ({
                value: one.name,
                label: one.title,
              }))}
              onChange={key => setPicked(String(key))}
            />
            <ToggleButton
              size="small"
              isSelected={asTable}
              onChange={setAsTable}
            >
              Show as table
            </ToggleButton>
          </>
        )
      }
    >
      {metrics.error && (
        <Problem
          what="the metrics"
          error={metrics.error}
          onRetry={metrics.reload}
        />
      )}
      {metrics.isLoading && <Skeleton height={300} width="100%" />}
      {metrics.value && !series && (
        <Text color="secondary">
          {job.state.final
            ? 'The job wrote no metrics.'
            : 'The first figures appear here as soon as the job writes them.'}
        </Text>
      )}
      {metrics.value && series && (
        <Flex direction="column" gap="2">
          {asTable ? (
            <MetricTable
              series={series}
              points={pointsOf(metrics.value.rows, series.name)}
            />
          ) : (
            <MetricLines
              series={series}
              points={pointsOf(metrics.value.rows, series.name)}
            />
          )}
        </Flex>
      )}
    </Section>
  );
}

function isCurve(metrics: Metrics | undefined, series: MetricSeries): boolean {
  return pointsOf(metrics?.rows ?? [], series.name).length > 1;
}

/** Metrics that have a figure, the headline first; those that the workload did not announce last. */
function seriesOf(
  metrics: Metrics | undefined,
  headline?: string,
): MetricSeries[] {
  if (!metrics) return [];
  const written = new Set<string>();
  for (const row of metrics.rows) {
    for (const [name, value] of Object.entries(row)) {
      if (typeof value === 'number') written.add(name);
    }
  }
  ['step', 'time', 'attempt'].forEach(name => written.delete(name));
  const announced = metrics.series.filter(one => written.delete(one.name));
  const others = [...written].map(name => ({ name, title: name, unit: '' }));
  return [...announced, ...others].sort(
    (a, b) => Number(b.name === headline) - Number(a.name === headline),
  );
}
