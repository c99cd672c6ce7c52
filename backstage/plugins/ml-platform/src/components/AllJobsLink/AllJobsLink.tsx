import { Link } from '@backstage/ui';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import { jobListRouteRef } from '../../routes';

/** The way back from a job's page, also from one that cannot be shown. */
export function AllJobsLink() {
  const list = useRouteRef(jobListRouteRef);
  return (
    <Link href={list?.() ?? '/jobs'} variant="body-small">
      ← All jobs
    </Link>
  );
}
