import { ReactNode } from 'react';
import { Alert } from '@backstage/ui';
import { Team } from '@internal/plugin-ml-platform-common';
import styles from './TeamProblems.module.css';

/** What holds up the team's jobs, in the service's words: which file, why, and what to do. */
export function TeamProblems(props: { team: Team; action?: ReactNode }) {
  const { title, problems } = props.team;
  if (problems.length === 0) {
    return null;
  }
  return (
    <Alert
      role="status"
      status="warning"
      icon
      title={`Jobs of ${title} are held up`}
      description={
        <ul className={styles.problems}>
          {problems.map(problem => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      }
      customActions={props.action}
    />
  );
}
