import { ReactElement } from 'react';
import { renderInTestApp } from '@backstage/frontend-test-utils';
import { jobApiRef } from '../api';
import { entityRouteRef, jobListRouteRef } from '../routes';
import { FakeJobApi } from './FakeJobApi';

/** Renders an element in an app whose job API is `api`, at `address`. */
export function renderWithJobs(
  element: ReactElement,
  api: FakeJobApi,
  address = '/',
) {
  return renderInTestApp(element, {
    apis: [[jobApiRef, api]],
    mountedRoutes: {
      '/jobs': jobListRouteRef,
      '/catalog/:namespace/:kind/:name': entityRouteRef,
    },
    initialRouteEntries: [address],
  });
}
