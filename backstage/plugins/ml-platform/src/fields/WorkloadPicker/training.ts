import { Preset, Workload } from '@internal/plugin-ml-platform-common';
import { z } from 'zod';
import { words } from '../../format';

/** The field's value: what a job is asked to train. */
export interface Training {
  workload?: string;
  version?: string;
  preset?: string;
  parameters?: Record<string, unknown>;
}

const parameterSchema = z.object({
  type: z.string().optional().catch(undefined),
  title: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
});

/** What the form needs to know of one parameter. */
export type Parameter = z.infer<typeof parameterSchema> & {
  name: string;
  isRequired: boolean;
};

const formSchema = z.object({
  properties: z.record(z.string(), parameterSchema).default({}),
  required: z.array(z.string()).default([]),
});

/** The parameters in a workload's JSON Schema, in its order. */
export function parametersOf(workload: Workload): Parameter[] {
  const { properties, required } = formSchema.parse(workload.parameters);
  return Object.entries(properties).map(([name, schema]) => ({
    ...schema,
    name,
    isRequired: required.includes(name),
  }));
}

/** What people call it. */
export function titleOf(parameter: Parameter): string {
  return parameter.title ?? words(parameter.name);
}

/** A workload's newest image with a preset's values; the first preset unless one is named. */
export function trainingOf(
  workload: Workload,
  preset: string | undefined = workload.presets[0]?.name,
  version: string | undefined = newestVersion(workload),
): Training {
  const defaults = parametersOf(workload)
    .filter(parameter => parameter.default !== undefined)
    .map(parameter => [parameter.name, parameter.default]);
  const chosen = workload.presets.find(one => one.name === preset);
  return {
    workload: workload.name,
    version,
    ...(chosen && { preset: chosen.name }),
    parameters: { ...Object.fromEntries(defaults), ...chosen?.parameters },
  };
}

/** What the platform fills in for a parameter that is left out. */
export function fallbackOf(
  parameter: Parameter,
  preset: Preset | undefined,
): unknown {
  return preset?.parameters[parameter.name] ?? parameter.default;
}

export function newestVersion(workload: Workload): string | undefined {
  return [...workload.images].sort((a, b) =>
    b.built_at.localeCompare(a.built_at),
  )[0]?.version;
}

/** `1 to 10000`, `above 0, at most 1`. */
export function boundsOf(parameter: Parameter): string | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = parameter;
  if (minimum !== undefined && maximum !== undefined) {
    return `${minimum} to ${maximum}`;
  }
  const bounds = [
    minimum !== undefined && `at least ${minimum}`,
    exclusiveMinimum !== undefined && `above ${exclusiveMinimum}`,
    maximum !== undefined && `at most ${maximum}`,
    exclusiveMaximum !== undefined && `below ${exclusiveMaximum}`,
  ].filter(Boolean);
  return bounds.length > 0 ? bounds.join(', ') : undefined;
}
