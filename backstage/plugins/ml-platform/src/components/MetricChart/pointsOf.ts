import { MetricRow } from '@internal/plugin-ml-platform-common';

const MOST_POINTS = 1_000;

export interface Point {
  step: number;
  value: number;
  attempt: number;
}

/** The figures of one metric in order, rows without a step counted; of very many, evenly chosen ones and always the last. */
export function pointsOf(rows: MetricRow[], name: string): Point[] {
  const points = rows.flatMap((row, index) => {
    const value = row[name];
    const step = typeof row.step === 'number' ? row.step : index;
    return typeof value === 'number' && Number.isFinite(value)
      ? [{ step, value, attempt: row.attempt }]
      : [];
  });
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter(
    (_, index) => index % every === 0 || index === points.length - 1,
  );
}
