import { useEntity } from '@backstage/plugin-catalog-react';
import { JOB_ID_ANNOTATION } from '@internal/plugin-ml-platform-common';
import { JobView } from '../JobView';

/** The job that a catalog entity stands for. */
export function EntityJob() {
  const { entity } = useEntity();
  const id =
    entity.metadata.annotations?.[JOB_ID_ANNOTATION] ?? entity.metadata.name;
  return <JobView key={id} id={id} />;
}
