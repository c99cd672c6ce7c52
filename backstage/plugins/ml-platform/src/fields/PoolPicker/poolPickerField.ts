import { makeFieldSchema } from '@backstage/plugin-scaffolder-react';
import { createFormField } from '@backstage/plugin-scaffolder-react/alpha';
import { jobApiRef } from '../../api';
import { tooManyFor, workersAsked } from '../workers';
import { PoolPicker } from './PoolPicker';

export const poolPickerField = createFormField({
  name: 'MlPoolPicker',
  component: PoolPicker,
  schema: makeFieldSchema({ output: z => z.string() }),
  validation: async (name, field, { apiHolder, formData }) => {
    if (!name) {
      field.addError('Choose the machines that it runs on');
      return;
    }
    const api = apiHolder.get(jobApiRef);
    if (!api) return;
    const [pools, workloads] = await Promise.all([
      api.pools(),
      api.workloads(),
    ]);
    const pool = pools.find(one => one.name === name);
    const problem = pool && tooManyFor(pool, workersAsked(formData, workloads));
    if (problem) field.addError(problem);
  },
});
