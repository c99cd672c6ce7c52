import { makeFieldSchema } from '@backstage/plugin-scaffolder-react';
import { createFormField } from '@backstage/plugin-scaffolder-react/alpha';
import { TeamPicker } from './TeamPicker';

export const teamPickerField = createFormField({
  name: 'MlTeamPicker',
  component: TeamPicker,
  schema: makeFieldSchema({ output: z => z.string() }),
  validation: (team, field) => {
    if (!team) field.addError('Choose the team that pays');
  },
});
