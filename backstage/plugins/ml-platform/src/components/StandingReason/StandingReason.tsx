import { Alert } from '@backstage/ui';
import { Job } from '@internal/plugin-ml-platform-common';
import { clock, words } from '../../format';
import styles from './StandingReason.module.css';

/** Why a job that has not ended stands where it does; nothing when there is nothing to say. */
export function StandingReason({ job }: { job: Job }) {
  const { phase, reason, since, final } = job.state;
  if (final || !reason) {
    return null;
  }
  return (
    <Alert
      status="info"
      icon
      title={
        <>
          {words(phase)} since <time dateTime={since}>{clock(since)}</time>
        </>
      }
      description={
        <span role="status" className={styles.reason}>
          {reason}
        </span>
      }
    />
  );
}
