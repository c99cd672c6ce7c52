import { createPermission } from '@backstage/plugin-permission-common';

/** See jobs: their state, manifest, logs, metrics and results. */
export const jobReadPermission = createPermission({
  name: 'ml-platform.job.read',
  attributes: { action: 'read' },
});

/** Start a job. Which pool, team and budget are allowed is decided by the service. */
export const jobSubmitPermission = createPermission({
  name: 'ml-platform.job.submit',
  attributes: { action: 'create' },
});

/** End a job before it is done. */
export const jobCancelPermission = createPermission({
  name: 'ml-platform.job.cancel',
  attributes: { action: 'update' },
});

export const mlPlatformPermissions = [
  jobReadPermission,
  jobSubmitPermission,
  jobCancelPermission,
];
