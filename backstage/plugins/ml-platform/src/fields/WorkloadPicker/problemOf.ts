import { Workload } from '@internal/plugin-ml-platform-common';
import {
  Parameter,
  Training,
  boundsOf,
  parametersOf,
  titleOf,
} from './training';

/** What is wrong with a parameter's value, in words; the service has the last one. */
export function problemOf(
  parameter: Parameter,
  value: unknown,
): string | undefined {
  if (value === undefined) return undefined;
  switch (parameter.type) {
    case 'integer':
    case 'number':
      return problemOfNumber(parameter, value);
    case 'array':
    case 'object':
      return typeof value === 'string' ? 'is not written as JSON' : undefined;
    default:
      return undefined;
  }
}

function problemOfNumber(
  parameter: Parameter,
  value: unknown,
): string | undefined {
  if (typeof value !== 'number') {
    return `must be ${kindOf(parameter)}, got ${value}`;
  }
  if (parameter.type === 'integer' && !Number.isInteger(value)) {
    return `must be a whole number, got ${value}`;
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = parameter;
  const isWithin =
    value >= (minimum ?? -Infinity) &&
    value <= (maximum ?? Infinity) &&
    value > (exclusiveMinimum ?? -Infinity) &&
    value < (exclusiveMaximum ?? Infinity);
  return isWithin ? undefined : `must be ${boundsOf(parameter)}, got ${value}`;
}

function kindOf(parameter: Parameter): string {
  return parameter.type === 'integer'
    ? 'a whole number'
    : 'a number, such as 0.05 or 1e-3';
}

/** The problems of all parameters, each with the name that the form shows. */
export function problemsOf(workload: Workload, training: Training): string[] {
  const given = training.parameters ?? {};
  return parametersOf(workload).flatMap(parameter => {
    const problem = problemOf(parameter, given[parameter.name]);
    return problem ? [`${titleOf(parameter)} ${problem}`] : [];
  });
}
