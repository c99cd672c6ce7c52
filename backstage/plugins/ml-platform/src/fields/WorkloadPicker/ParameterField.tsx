import { Flex, Select, Switch, Text, TextField } from '@backstage/ui';
import { figure } from '../../format';
import { NumberText } from './NumberText';
import { Parameter, boundsOf, titleOf } from './training';

/** One parameter, as its JSON Schema describes it. */
export function ParameterField(props: {
  parameter: Parameter;
  value: unknown;
  /** What the platform fills in when the field is left empty. */
  fallback: unknown;
  onChange(value: unknown): void;
}) {
  const { parameter, value, fallback, onChange } = props;
  const isLeftOut = value === undefined && fallback !== undefined;
  const placeholder = isLeftOut ? String(fallback) : undefined;
  const common = {
    label: titleOf(parameter),
    description: [
      parameter.description,
      boundsOf(parameter),
      isLeftOut && `left empty, ${figure(fallback)} is used`,
    ]
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
      <NumberText
        {...common}
        placeholder={placeholder}
        parameter={parameter}
        value={value}
        onChange={onChange}
      />
    );
  }
  if (parameter.type === 'array' || parameter.type === 'object') {
    return <JsonField {...common} value={value} onChange={onChange} />;
  }
  return (
    <TextField
      {...common}
      placeholder={placeholder}
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
