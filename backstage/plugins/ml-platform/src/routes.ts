import {
  createExternalRouteRef,
  createRouteRef,
  createSubRouteRef,
} from '@backstage/frontend-plugin-api';

export const jobListRouteRef = createRouteRef();

export const jobRouteRef = createSubRouteRef({
  parent: jobListRouteRef,
  path: '/:id',
});

/** The form of a template, from the scaffolder. */
export const templateRouteRef = createExternalRouteRef({
  params: ['namespace', 'templateName'],
  defaultTarget: 'scaffolder.selectedTemplate',
});
