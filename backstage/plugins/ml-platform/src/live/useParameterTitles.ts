import { useCallback, useMemo } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { jobApiRef } from '../api';
import { parametersOf, titleOf } from '../fields/WorkloadPicker/training';
import { useLoaded } from './useLoaded';

/** What a workload's form calls its parameters, by name; empty until the platform has said so. */
export function useParameterTitles(workload: string): Map<string, string> {
  const api = useApi(jobApiRef);
  const { value } = useLoaded(useCallback(() => api.workloads(), [api]));
  return useMemo(() => {
    const found = value?.find(({ name }) => name === workload);
    return new Map(
      (found ? parametersOf(found) : []).map(parameter => [
        parameter.name,
        titleOf(parameter),
      ]),
    );
  }, [value, workload]);
}
