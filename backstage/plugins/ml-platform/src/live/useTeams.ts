import { useCallback } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { Team } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../api';
import { Loaded, useLoaded } from './useLoaded';
import { useRepeatedly } from './useRepeatedly';

/** All teams, with what holds up jobs now. No event tells of that, so it is asked for again. */
export function useTeams(): Loaded<Team[]> {
  const api = useApi(jobApiRef);
  const teams = useLoaded(useCallback(() => api.teams(), [api]));
  useRepeatedly(teams.reload, 10_000);
  return teams;
}
