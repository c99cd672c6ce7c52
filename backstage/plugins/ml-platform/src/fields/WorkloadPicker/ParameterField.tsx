import {
  Flex,
  NumberField,
  Select,
  Switch,
  Text,
  TextField,
} from '@backstage/ui';
import { words } from '../../format';
import { Parameter, boundsOf } from './training';

/** One parameter, as its JSON Schema describes it. */
export function ParameterField(props: {
  parameter: Parameter;
  value: unknown;
  onChange(value: unknown): void;
}) {
  const { parameter, value, onChange } = props;
  const common = {
    label: parameter.title ?? words(parameter.name),
    description: [parameter.description, boundsOf(parameter)]
      .filter(Boolean)
      .join(' · '),
    secondaryLabel: parameter.isRequired ? 'Required' : undefined,
  };
  if (parameter.enum) {
    return (
      <Select
        {...common}
        value={value === undefined ? null : JSON.stringify(value)}
        options={parameter.enum.map(choice => ({
          value: JSON.stringify(choice),
          label: String(choice),
        }))}
        onChange={key => onChange(JSON.parse(String(key)))}
      />
    );
  }
  if (parameter.type === 'boolean') {
    return (
      <Flex direction="column" gap="1">
        <Switch
          label={common.label}
          isSelected={value === true}
          onChange={onChange}
        />
        <Text variant="body-small" color="secondary">
          {common.description}
        </Text>
      </Flex>
    );
  }
  if (parameter.type === 'integer' || parameter.type === 'number') {
    return (
      <NumberField
        {...common}
        value={typeof value === 'number' ? value : NaN}
        minValue={parameter.minimum}
        maxValue={parameter.maximum}
        step={parameter.type === 'integer' ? 1 : undefined}
        // By default 0.0005 would be shown, and sent, as 0.001.
        formatOptions={{ maximumFractionDigits: 20, useGrouping: false }}
        onChange={number => onChange(Number.isNaN(number) ? undefined : number)}
      />
    );
  }
  if (parameter.type === 'array' || parameter.type === 'object') {
    return <JsonField {...common} value={value} onChange={onChange} />;
  }
  return (
    <TextField
      {...common}
      value={typeof value === 'string' ? value : ''}
      onChange={text => onChange(text === '' ? undefined : text)}
    />
  );
}

function JsonField(props: {
  label: string;
  description: string;
  value: unknown;
  onChange(value: unknown): void;
}) {
  return (
    <TextField
      label={props.label}
      description={`${props.description} · written as JSON`}
      defaultValue={JSON.stringify(props.value)}
      onChange={text => {
        try {
          props.onChange(JSON.parse(text));
        } catch {
          // Half-written JSON goes along as text, which the service refuses with a sentence.
          props.onChange(text);
        }
      }}
    />
  );
}
