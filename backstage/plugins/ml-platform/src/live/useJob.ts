import { useCallback, useEffect } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { Job } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../api';
import { Loaded, useLoaded } from './useLoaded';
import { useRepeatedly } from './useRepeatedly';

/** A job, new at each of its events; asked for every few seconds too, in case an event is lost. */
export function useJob(id: string): Loaded<Job> {
  const api = useApi(jobApiRef);
  const job = useLoaded(useCallback(() => api.get(id), [api, id]));
  const { reload } = job;
  useEffect(
    () =>
      api.watch(event => {
        if (event.job.id === id) reload();
      }),
    [api, id, reload],
  );
  // The record still moves to the archive after the job has ended.
  const settled =
    job.value?.state.final &&
    job.value.hops.every(hop => hop.at || hop.name !== 'archived');
  useRepeatedly(reload, settled ? undefined : 3_000);
  return job;
}
