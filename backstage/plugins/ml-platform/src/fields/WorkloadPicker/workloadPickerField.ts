import { makeFieldSchema } from '@backstage/plugin-scaffolder-react';
import { createFormField } from '@backstage/plugin-scaffolder-react/alpha';
import { jobApiRef } from '../../api';
import { problemsOf } from './problemOf';
import { WorkloadPicker } from './WorkloadPicker';

export const workloadPickerField = createFormField({
  name: 'MlWorkloadPicker',
  component: WorkloadPicker,
  schema: makeFieldSchema({
    output: z =>
      z.object({
        workload: z.string().optional(),
        version: z.string().optional(),
        preset: z.string().optional(),
        parameters: z.record(z.string(), z.unknown()).optional(),
      }),
  }),
  validation: async (training, field, { apiHolder }) => {
    if (!training?.workload) field.addError('Choose a workload');
    else if (!training.version) field.addError('Choose a version');
    else {
      const workloads = await apiHolder.get(jobApiRef)?.workloads();
      const workload = workloads?.find(
        ({ name }) => name === training.workload,
      );
      if (workload)
        problemsOf(workload, training).forEach(problem =>
          field.addError(problem),
        );
    }
  },
});
