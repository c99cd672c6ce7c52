import { useRouteRef } from '@backstage/frontend-plugin-api';
import {
  CANCEL_TEMPLATE,
  Job,
  SUBMIT_TEMPLATE,
} from '@internal/plugin-ml-platform-common';
import { templateRouteRef } from '../routes';

type Template = typeof SUBMIT_TEMPLATE;

/** Address of a template's form, filled in with `values`. */
function useTemplateLink() {
  const route = useRouteRef(templateRouteRef);
  return (template: Template, values?: object) => {
    const path = route?.(template) ?? '/create';
    return values
      ? `${path}?formData=${encodeURIComponent(JSON.stringify(values))}`
      : path;
  };
}

export function useStartLink(): string {
  return useTemplateLink()(SUBMIT_TEMPLATE);
}

export function useCancelLink(id: string): string {
  return useTemplateLink()(CANCEL_TEMPLATE, { job_id: id });
}

/** The form, filled in with what was asked for `job`. */
export function useRunAgainLink(job: Job): string {
  const { spec } = job;
  return useTemplateLink()(SUBMIT_TEMPLATE, {
    training: {
      workload: spec.workload,
      version: spec.version,
      preset: spec.preset ?? undefined,
      parameters: spec.parameters,
    },
    name: spec.name,
    team: spec.team,
    pool: spec.pool,
    workers: spec.workers,
    priority: spec.priority,
    max_duration: spec.max_duration,
    attempts: spec.attempts,
    resume_from: spec.resume_from ?? undefined,
    parent: job.id,
  });
}
