import { useCallback, useEffect } from 'react';
import { useApi } from '@backstage/frontend-plugin-api';
import { FieldExtensionComponentProps } from '@backstage/plugin-scaffolder-react';
import { Alert, Flex, Grid, Select, Skeleton, Text } from '@backstage/ui';
import { Pool, Workload } from '@internal/plugin-ml-platform-common';
import { jobApiRef } from '../../api';
import { Problem } from '../../components/Problem';
import { FieldSurface } from '../FieldSurface';
import { counted } from '../../format';
import { useLoaded } from '../../live';
import { ParameterField } from './ParameterField';
import { PresetTooLarge, presetLabel } from './PresetTooLarge';
import { Training, fallbackOf, parametersOf, trainingOf } from './training';

const NO_PRESET = 'none';

/** What to train: workload, version, preset, and a form made of the workload's own JSON Schema. */
export function WorkloadPicker(props: FieldExtensionComponentProps<Training>) {
  return (
    <FieldSurface>
      <Choice {...props} />
    </FieldSurface>
  );
}

function Choice(props: FieldExtensionComponentProps<Training>) {
  const { formData = {}, onChange } = props;
  const api = useApi(jobApiRef);
  const workloads = useLoaded(useCallback(() => api.workloads(), [api]));
  const pools = useLoaded(useCallback(() => api.pools(), [api]));
  const built = workloads.value?.filter(one => one.images.length > 0);
  const chosen = built?.find(one => one.name === formData.workload);

  const first = built?.[0];
  useEffect(() => {
    if (!formData.workload && first) onChange(trainingOf(first));
  }, [formData.workload, first, onChange]);

  if (workloads.error) {
    return (
      <Problem
        what="the workloads"
        error={workloads.error}
        onRetry={workloads.reload}
      />
    );
  }
  if (!built) {
    return <Skeleton height={220} width="100%" />;
  }
  if (built.length === 0) {
    return <NothingBuilt workload={workloads.value?.[0]?.name} />;
  }
  return (
    <Flex direction="column" gap="5">
      <Choices
        workloads={built}
        chosen={chosen}
        pools={pools.value}
        value={formData}
        onChange={onChange}
      />
      <PresetTooLarge
        preset={chosen?.presets.find(one => one.name === formData.preset)}
        pools={pools.value}
      />
      {formData.workload && !chosen && (
        <Alert
          status="warning"
          icon
          title={`${formData.workload} has no image here`}
          description={howToBuild(formData.workload, formData.version)}
        />
      )}
      {chosen && (
        <Parameters workload={chosen} value={formData} onChange={onChange} />
      )}
    </Flex>
  );
}

function Choices(props: {
  workloads: Workload[];
  chosen?: Workload;
  pools?: Pool[];
  value: Training;
  onChange(value: Training): void;
}) {
  const { workloads, chosen, pools, value, onChange } = props;
  const preset = chosen?.presets.find(one => one.name === value.preset);
  return (
    <Grid.Root columns={{ initial: '1', sm: '3' }} gap="4">
      <Select
        label="Workload"
        description={chosen?.description}
        value={value.workload ?? null}
        options={workloads.map(one => ({ value: one.name, label: one.title }))}
        onChange={key => {
          const next = workloads.find(one => one.name === key);
          if (next && next !== chosen) onChange(trainingOf(next));
        }}
      />
      <Select
        label="Version"
        description="The image: code and packages as they were built."
        value={value.version ?? null}
        options={(chosen?.images ?? []).map(image => ({
          value: image.version,
          label: image.version,
        }))}
        onChange={key => onChange({ ...value, version: String(key) })}
      />
      {chosen && chosen.presets.length > 0 && (
        <Select
          label="Preset"
          description={
            preset
              ? `${preset.description} · ${counted(preset.workers, 'worker')}`
              : 'Fills in the values below.'
          }
          value={value.preset ?? NO_PRESET}
          options={[
            ...chosen.presets.map(one => ({
              value: one.name,
              label: presetLabel(one, pools),
            })),
            { value: NO_PRESET, label: 'None, my own values' },
          ]}
          onChange={key =>
            onChange(
              key === NO_PRESET
                ? { ...value, preset: undefined }
                : trainingOf(chosen, String(key), value.version),
            )
          }
        />
      )}
    </Grid.Root>
  );
}

function Parameters(props: {
  workload: Workload;
  value: Training;
  onChange(value: Training): void;
}) {
  const { workload, value, onChange } = props;
  const parameters = parametersOf(workload);
  const preset = workload.presets.find(one => one.name === value.preset);
  const given = value.parameters ?? {};
  return (
    <Flex direction="column" gap="3">
      <Text as="h3" variant="body-large" weight="bold">
        Parameters
      </Text>
      {parameters.length === 0 && (
        <Text color="secondary">This workload takes none.</Text>
      )}
      <Grid.Root columns={{ initial: '1', sm: '2' }} gap="4">
        {parameters.map(parameter => (
          <ParameterField
            // Another preset is another form: fields keep what was half-typed.
            key={`${workload.name}/${value.preset}/${parameter.name}`}
            parameter={parameter}
            value={given[parameter.name]}
            fallback={fallbackOf(parameter, preset)}
            onChange={next =>
              onChange({
                ...value,
                parameters: without({ ...given, [parameter.name]: next }),
              })
            }
          />
        ))}
      </Grid.Root>
    </Flex>
  );
}

function NothingBuilt(props: { workload?: string }) {
  return (
    <Alert
      status="info"
      icon
      title="No image is built yet"
      description={howToBuild(props.workload)}
    />
  );
}

function howToBuild(workload = 'stellar_optimization', version = 'v1.0.0') {
  return (
    <>
      Build one, then come back:{' '}
      <code>{`ml-platform build ${workload} ${version}`}</code>
    </>
  );
}

function without(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  );
}
