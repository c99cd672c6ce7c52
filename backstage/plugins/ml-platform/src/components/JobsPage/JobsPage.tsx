import { Route, Routes, useParams } from 'react-router-dom';
import { Container } from '@backstage/ui';
import { JobListPage } from '../JobListPage';
import { JobView } from '../JobView';

/** `/jobs` and `/jobs/:id`. The latter works before the catalog has heard of a job. */
export function JobsPage() {
  return (
    <Routes>
      <Route path="/" element={<JobListPage />} />
      <Route path="/:id" element={<JobOfRoute />} />
    </Routes>
  );
}

function JobOfRoute() {
  const { id = '' } = useParams();
  return (
    <Container pt="4" pb="8">
      <JobView key={id} id={id} isOwnPage />
    </Container>
  );
}
