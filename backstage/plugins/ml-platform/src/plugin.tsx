import {
  ApiBlueprint,
  PageBlueprint,
  createFrontendPlugin,
  discoveryApiRef,
  fetchApiRef,
} from '@backstage/frontend-plugin-api';
import {
  EntityCardBlueprint,
  EntityContentLayoutBlueprint,
} from '@backstage/plugin-catalog-react/alpha';
import { FormFieldBlueprint } from '@backstage/plugin-scaffolder-react/alpha';
import { TRAINING_JOB_TYPE } from '@internal/plugin-ml-platform-common';
import { RiCpuLine } from '@remixicon/react';
import { DefaultJobApi, jobApiRef } from './api';
import {
  entityRouteRef,
  jobListRouteRef,
  jobRouteRef,
  templateRouteRef,
} from './routes';

const jobApi = ApiBlueprint.make({
  params: defineParams =>
    defineParams({
      api: jobApiRef,
      deps: { discoveryApi: discoveryApiRef, fetchApi: fetchApiRef },
      factory: deps => DefaultJobApi.create(deps),
    }),
});

const jobsPage = PageBlueprint.make({
  params: {
    path: '/jobs',
    title: 'Jobs',
    icon: <RiCpuLine />,
    routeRef: jobListRouteRef,
    loader: () => import('./components/JobsPage').then(m => <m.JobsPage />),
  },
});

// The first thing that the catalog shows of a job is the job.
const jobEntityLayout = EntityContentLayoutBlueprint.make({
  name: 'training-job',
  params: {
    filter: { kind: 'resource', 'spec.type': TRAINING_JOB_TYPE },
    loader: () =>
      import('./components/EntityJobLayout').then(m => m.EntityJobLayout),
  },
});

const teamCard = EntityCardBlueprint.make({
  name: 'team',
  params: {
    type: 'content',
    filter: { kind: 'group', 'spec.type': 'team' },
    loader: () =>
      import('./components/EntityTeamCard').then(m => <m.EntityTeamCard />),
  },
});

const workloadField = FormFieldBlueprint.make({
  name: 'workload-picker',
  params: {
    field: () =>
      import('./fields/WorkloadPicker').then(m => m.workloadPickerField),
  },
});

const poolField = FormFieldBlueprint.make({
  name: 'pool-picker',
  params: {
    field: () => import('./fields/PoolPicker').then(m => m.poolPickerField),
  },
});

const teamField = FormFieldBlueprint.make({
  name: 'team-picker',
  params: {
    field: () => import('./fields/TeamPicker').then(m => m.teamPickerField),
  },
});

/** The job pages and form fields of the ML Platform. */
export const mlPlatformPlugin = createFrontendPlugin({
  pluginId: 'ml-platform',
  title: 'Jobs',
  icon: <RiCpuLine />,
  routes: { jobs: jobListRouteRef, job: jobRouteRef },
  externalRoutes: { entity: entityRouteRef, template: templateRouteRef },
  extensions: [
    jobApi,
    jobsPage,
    jobEntityLayout,
    teamCard,
    workloadField,
    poolField,
    teamField,
  ],
});
