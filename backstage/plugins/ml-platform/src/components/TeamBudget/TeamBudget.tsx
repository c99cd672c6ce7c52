import { Flex, Text } from '@backstage/ui';
import { Budget } from '@internal/plugin-ml-platform-common';
import { money } from '../../format';
import styles from './TeamBudget.module.css';

/** How much of a team's month is spent, reserved for active jobs, and left. */
export function TeamBudget(props: { team: string; budget: Budget }) {
  const { month, amount, spent, reserved, left, currency } = props.budget;
  const over = spent + reserved - amount;
  const share = (part: number) =>
    `${amount > 0 ? Math.min(100, (100 * part) / amount) : 0}%`;
  return (
    <Flex
      direction="column"
      gap="2"
      role="group"
      aria-label={`Budget of ${props.team}`}
    >
      <Flex justify="between" style={{ flexWrap: 'wrap' }}>
        <Text weight="bold">Budget for {monthName(month)}</Text>
        <Text>{money(amount, currency)}</Text>
      </Flex>
      <div aria-hidden className={styles.bar}>
        <div className={styles.spent} style={{ width: share(spent) }} />
        <div className={styles.reserved} style={{ width: share(reserved) }} />
      </div>
      <Text variant="body-small" color="secondary">
        {money(spent, currency)} spent, {money(reserved, currency)} reserved for
        active jobs,{' '}
        {over >= 0.005
          ? `${money(over, currency)} more than there is`
          : `${money(left, currency)} left`}
      </Text>
    </Flex>
  );
}

/** `2026-11` as `November 2026`. */
function monthName(month: string): string {
  return new Date(`${month}-01T00:00:00Z`).toLocaleString('en-GB', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
}
