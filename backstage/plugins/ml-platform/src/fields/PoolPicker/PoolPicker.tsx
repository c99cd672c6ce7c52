import { useCallback, useEffect } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { FieldExtensionComponentProps } from '@backstage/plugin-scaffolder-react';
import { Alert, Radio, RadioGroup, Skeleton, Text } from '@backstage/ui';
import { Pool } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../../api';
import { Problem } from '../../components/Problem';
import { FieldSurface } from '../FieldSurface';
import { counted } from '../../format';
import { AskedWorkers, tooManyFor, workersAsked } from '../workers';
import { useLoaded, useRepeatedly } from '../../live';
import styles from './PoolPicker.module.css';

/** The machines, with today's price and what is free now. */
export function PoolPicker(props: FieldExtensionComponentProps<string>) {
  return (
    <FieldSurface>
      <Choice {...props} />
    </FieldSurface>
  );
}

function Choice(props: FieldExtensionComponentProps<string>) {
  const { formData, onChange, schema, required, formContext } = props;
  const api = useApi(jobApiRef);
  const workloads = useLoaded(useCallback(() => api.workloads(), [api]));
  const pools = useLoaded(useCallback(() => api.pools(), [api]));
  useRepeatedly(pools.reload, 10_000);
  const available = pools.value?.filter(pool => pool.available);
  const only = available?.length === 1 ? available[0].name : undefined;

  useEffect(() => {
    if (!formData && only) onChange(only);
  }, [formData, only, onChange]);

  if (pools.error && !pools.value) {
    return (
      <Problem what="the pools" error={pools.error} onRetry={pools.reload} />
    );
  }
  if (!pools.value) {
    return <Skeleton height={160} width="100%" />;
  }
  if (pools.value.length === 0) {
    return (
      <Alert
        status="warning"
        icon
        title="No pool is set up"
        description="An administrator adds pools to gitops/pools.yaml."
      />
    );
  }
  const asked = workersAsked(formContext?.formData, workloads.value ?? []);
  return (
    <RadioGroup
      label={schema.title}
      description={schema.description}
      isRequired={required}
      value={formData ?? null}
      onChange={onChange}
    >
      <div className={styles.pools}>
        {pools.value.map(pool => (
          <PoolChoice
            key={pool.name}
            pool={pool}
            asked={asked}
            isChosen={pool.name === formData}
          />
        ))}
      </div>
    </RadioGroup>
  );
}

function PoolChoice(props: {
  pool: Pool;
  asked?: AskedWorkers;
  isChosen: boolean;
}) {
  const { pool, asked, isChosen } = props;
  const tooMany = isChosen && tooManyFor(pool, asked);
  return (
    <div
      className={styles.pool}
      data-chosen={isChosen}
      data-available={pool.available}
    >
      <Radio value={pool.name} isDisabled={!pool.available}>
        <span className={styles.title}>{pool.title}</span>
      </Radio>
      <div className={styles.about}>
        <Text variant="body-small" color="secondary">
          {pool.description}
        </Text>
        <span className={styles.price}>{priceOf(pool)}</span>
        <Text
          variant="body-small"
          color={pool.available ? 'secondary' : 'primary'}
        >
          {pool.available ? capacityOf(pool) : pool.reason ?? 'Not available'}
        </Text>
        {tooMany && <Alert status="warning" icon title={tooMany} />}
      </div>
    </div>
  );
}

function priceOf(pool: Pool): string {
  if (pool.price_per_worker_hour === 0) return 'Free';
  const price = new Intl.NumberFormat('en', {
    style: 'currency',
    currency: pool.currency,
  }).format(pool.price_per_worker_hour);
  return `${price} per worker and hour`;
}

function capacityOf(pool: Pool): string {
  const free = [
    typeof pool.free_cpu === 'number' && `${Math.floor(pool.free_cpu)} cores`,
    pool.free_gpus && `${pool.free_gpus} GPUs`,
  ].filter(Boolean);
  const most = counted(pool.max_workers, 'worker');
  const size = `${pool.cpu_per_node} cores, ${memoryOf(
    pool,
  )} per machine · at most ${most}`;
  return free.length > 0 ? `${free.join(', ')} free now · ${size}` : size;
}

/** `22057Mi` as `22 GiB`. */
function memoryOf({ memory_per_node: memory }: Pool): string {
  const amount = parseInt(memory, 10);
  return `${memory.endsWith('Mi') ? Math.round(amount / 1024) : amount} GiB`;
}
