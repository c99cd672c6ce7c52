import { useCallback, useEffect } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { JobPage } from '@internal/plugin-ml-platform-common';
import { JobFilter, jobApiRef } from '../api';
import { Loaded, useLoaded } from './useLoaded';
import { useRepeatedly } from './useRepeatedly';

/** A page of the job list, kept up to date. */
export function useJobList(filter: JobFilter): Loaded<JobPage> {
  const api = useApi(jobApiRef);
  const { team, phase, ended, owner, q, limit, cursor } = filter;
  const list = useLoaded(
    useCallback(
      () => api.list({ team, phase, ended, owner, q, limit, cursor }),
      [api, team, phase, ended, owner, q, limit, cursor],
    ),
  );
  const { reload } = list;
  useEffect(() => api.watch(reload), [api, reload]);
  useRepeatedly(reload, 5_000);
  return list;
}
