import { MetricSeries } from '@internal/plugin-ml-platform-common';
import {
  CartesianGrid,
  Legend,
  Line,
  LineChart,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import { figure } from '../../format';
import styles from './MetricChart.module.css';
import { nameOf } from './MetricTable';
import { Point } from './pointsOf';

const COLOURS = [
  'var(--bui-announcement-fg-subdued)',
  'var(--bui-warning-fg-subdued)',
  'var(--bui-positive-fg-subdued)',
  'var(--bui-negative-fg-subdued)',
];
const TEXT = { fill: 'var(--bui-fg-secondary)', fontSize: 12 };

export function MetricLines(props: { series: MetricSeries; points: Point[] }) {
  const { series, points } = props;
  const attempts = [...new Set(points.map(point => point.attempt))];
  const last = points[points.length - 1];
  const { reference } = series;
  return (
    <figure
      className={styles.figure}
      aria-label={`${series.title} over steps; ${
        points.length
      } figures, last ${figure(last.value, series.unit)} at step ${last.step}`}
    >
      <ResponsiveContainer width="100%" height={300}>
        <LineChart margin={{ top: 16, right: 24, bottom: 20, left: 12 }}>
          <CartesianGrid stroke="var(--bui-border-1)" vertical={false} />
          <XAxis
            dataKey="step"
            type="number"
            allowDecimals={false}
            domain={['dataMin', 'dataMax']}
            allowDuplicatedCategory={false}
            tick={TEXT}
            stroke="var(--bui-border-2)"
            label={{
              value: 'Step',
              position: 'insideBottom',
              offset: -10,
              ...TEXT,
            }}
          />
          <YAxis
            domain={['auto', 'auto']}
            padding={{ top: 12, bottom: 12 }}
            tick={TEXT}
            stroke="var(--bui-border-2)"
            width={72}
            tickFormatter={value => figure(value)}
            label={{
              value: nameOf(series),
              angle: -90,
              position: 'insideLeft',
              style: { textAnchor: 'middle' },
              ...TEXT,
            }}
          />
          <Tooltip
            contentStyle={{
              background: 'var(--bui-bg-app)',
              border: '1px solid var(--bui-border-2)',
              color: 'var(--bui-fg-primary)',
            }}
            labelFormatter={step => `Step ${step}`}
            formatter={value => figure(value, series.unit)}
          />
          {attempts.length > 1 && <Legend verticalAlign="top" height={28} />}
          {reference && (
            <ReferenceLine
              y={reference.value}
              ifOverflow="extendDomain"
              stroke="var(--bui-positive-fg-subdued)"
              strokeDasharray="6 4"
              label={{
                value: `${reference.label}: ${figure(reference.value)}`,
                position: 'insideBottomLeft',
                ...TEXT,
              }}
            />
          )}
          {attempts.map((attempt, index) => (
            <Line
              key={attempt}
              name={
                attempts.length > 1 ? `Attempt ${attempt + 1}` : series.title
              }
              data={points.filter(point => point.attempt === attempt)}
              dataKey="value"
              stroke={COLOURS[index % COLOURS.length]}
              strokeWidth={2}
              dot={points.length < 30}
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}
