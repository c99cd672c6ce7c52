import { useCallback, useEffect, useRef, useState } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { Metrics } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../api';
import { Loaded, useLoaded } from './useLoaded';
import { useRepeatedly } from './useRepeatedly';

/** All metrics of a job; while it is not final only what is new is asked for. */
export function useMetrics(id: string, final: boolean): Loaded<Metrics> {
  const api = useApi(jobApiRef);
  const known = useRef<Metrics>();
  const [wasFinal, setWasFinal] = useState(final);
  const metrics = useLoaded(
    useCallback(async () => {
      const newer = await api.metrics(id, known.current?.cursor);
      known.current = {
        ...newer,
        rows: [...(known.current?.rows ?? []), ...newer.rows],
      };
      return known.current;
    }, [api, id]),
  );
  const { reload } = metrics;
  useRepeatedly(reload, final ? undefined : 2_000);
  // The last rows are written just before the end.
  useEffect(() => {
    if (final !== wasFinal) {
      setWasFinal(final);
      reload();
    }
  }, [final, wasFinal, reload]);
  return metrics;
}
