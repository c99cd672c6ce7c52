import { makeFieldSchema } from '@backstage/plugin-scaffolder-react';
import { createFormField } from '@backstage/plugin-scaffolder-react/alpha';
import { PoolPicker } from './PoolPicker';

export const poolPickerField = createFormField({
  name: 'MlPoolPicker',
  component: PoolPicker,
  schema: makeFieldSchema({ output: z => z.string() }),
  validation: (pool, field) => {
    if (!pool) field.addError('Choose the machines that it runs on');
  },
});
