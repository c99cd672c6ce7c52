import { MetricSeries } from '@internal/plugin-ml-platform-common';
import { figure } from '../../format';
import styles from './MetricChart.module.css';
import { Point } from './pointsOf';

/** The same figures as the chart, newest first. */
export function MetricTable(props: { series: MetricSeries; points: Point[] }) {
  const { series, points } = props;
  return (
    <div
      className={styles.scroll}
      // A box that scrolls must be reachable by keyboard (WCAG 2.1.1).
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      role="region"
      aria-label="Figures"
    >
      <table className={styles.figures} aria-label={series.title}>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Attempt</th>
            <th scope="col">{nameOf(series)}</th>
          </tr>
        </thead>
        <tbody>
          {[...points].reverse().map((point, index) => (
            <tr key={index}>
              <td>{point.step}</td>
              <td>{point.attempt + 1}</td>
              <td>{figure(point.value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function nameOf(series: MetricSeries): string {
  return series.unit ? `${series.title} [${series.unit}]` : series.title;
}
