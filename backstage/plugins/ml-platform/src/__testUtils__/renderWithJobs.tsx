import { ReactElement } from 'react';
import { renderInTestApp } from '@backstage/frontend-test-utils';
import { jobApiRef } from '../api';
import { jobListRouteRef } from '../routes';
import { FakeJobApi } from './FakeJobApi';

/** Renders an element in an app whose job API is `api`. */
export function renderWithJobs(element: ReactElement, api: FakeJobApi) {
  return renderInTestApp(element, {
    apis: [[jobApiRef, api]],
    mountedRoutes: { '/jobs': jobListRouteRef },
  });
}
