import { Job } from '@internal/plugin-ml-platform-common';
import { clock, span } from '../../format';
import styles from './HopTimeline.module.css';

/** The road of a job, from the form to the archive: what has happened and when, and what has not yet. */
export function HopTimeline({ job }: { job: Job }) {
  const next = job.hops.findIndex(hop => !hop.at);
  return (
    <ol className={styles.road} aria-label="Steps of the job">
      {job.hops.map((hop, index) => {
        const before = job.hops[index - 1]?.at;
        const isNext = index === next && !job.state.final;
        return (
          <li
            key={hop.name}
            className={styles.hop}
            data-done={Boolean(hop.at)}
            data-next={isNext}
            data-failed={hop.name === 'ended' && job.state.phase === 'failed'}
            aria-current={isNext ? 'step' : undefined}
          >
            <span className={styles.title}>{hop.title}</span>
            {hop.at ? (
              <time dateTime={hop.at} title={clock(hop.at)}>
                {before
                  ? `+${span(before, hop.at)}`
                  : new Date(hop.at).toLocaleTimeString('en-GB')}
              </time>
            ) : (
              <span>{isNext ? 'waiting' : '–'}</span>
            )}
            {hop.detail && <span className={styles.detail}>{hop.detail}</span>}
          </li>
        );
      })}
    </ol>
  );
}
