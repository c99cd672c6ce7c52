import { Phase } from '@internal/plugin-ml-platform-common';
import { words } from '../../format';
import styles from './StateBadge.module.css';

const TONES: Record<Phase, string> = {
  submitted: styles.neutral,
  'waiting-for-review': styles.warning,
  queued: styles.warning,
  starting: styles.info,
  running: styles.info,
  succeeded: styles.success,
  failed: styles.danger,
  cancelled: styles.neutral,
};

export function StateBadge({ phase }: { phase: Phase }) {
  return (
    <span className={`${styles.badge} ${TONES[phase]}`}>
      <span
        className={styles.dot}
        data-moving={phase === 'running'}
        aria-hidden
      />
      {words(phase)}
    </span>
  );
}
