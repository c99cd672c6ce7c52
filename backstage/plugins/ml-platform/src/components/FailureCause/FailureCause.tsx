import { Alert } from '@backstage/ui';
import { Job } from '@internal/plugin-ml-platform-common';

/** Why the job failed and what to do, before anything else. */
export function FailureCause({ job }: { job: Job }) {
  return (
    <Alert
      role="alert"
      status="danger"
      icon
      title={job.cause ?? 'The job failed'}
      description={
        job.state.reason && job.state.reason !== job.cause
          ? job.state.reason
          : 'The end of the log below says more.'
      }
    />
  );
}
