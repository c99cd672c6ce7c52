import { useCallback, useEffect } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { Results } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../api';
import { Loaded, useLoaded } from './useLoaded';
import { useRepeatedly } from './useRepeatedly';

/** What the training code has written for people; looked at again until the job is final. */
export function useResults(id: string, final: boolean): Loaded<Results> {
  const api = useApi(jobApiRef);
  const results = useLoaded(useCallback(() => api.results(id), [api, id]));
  const { reload } = results;
  useRepeatedly(reload, final ? undefined : 5_000);
  useEffect(reload, [final, reload]);
  return results;
}
