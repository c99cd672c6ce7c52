import { useState } from 'react';
import { TextField } from '@backstage/ui';
import { problemOf } from './problemOf';
import { Parameter } from './training';

/**
 * A number as it was typed. BUI's NumberField moves what is out of bounds or between steps to the
 * nearest number that is not, which nobody notices; here it stays, with what is wrong beneath.
 */
export function NumberText(props: {
  label: string;
  description: string;
  secondaryLabel?: string;
  placeholder?: string;
  parameter: Parameter;
  value: unknown;
  onChange(value: unknown): void;
}) {
  const { parameter, value, onChange, ...shown } = props;
  const [text, setText] = useState(value === undefined ? '' : String(value));
  return (
    <TextField
      {...shown}
      inputMode={parameter.type === 'integer' ? 'numeric' : 'decimal'}
      value={text}
      onChange={typed => {
        setText(typed);
        onChange(numberOf(typed));
      }}
      validationBehavior="aria"
      validate={typed => problemOf(parameter, numberOf(typed))}
    />
  );
}

/** The number that a text spells; a text that spells none goes along as it is, to be refused. */
function numberOf(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const number = Number(trimmed);
  return Number.isFinite(number) ? number : trimmed;
}
