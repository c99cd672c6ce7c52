import { JsonSchema } from '../protocol';

/**
 * A schema that is read and not enforced. The scaffolder would refuse an input before the service
 * sees it, with the validator's `instance.name does not match pattern …`; the service checks every
 * input anyway, and says which field is wrong and what to do.
 *
 * The scaffolder lists schemas as JSON and validates by the object, so the JSON is the whole schema
 * and the object only tells what the fields are.
 */
export function serviceChecked(schema: JsonSchema): JsonSchema {
  const described = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(
      ([name, { title, description }]) => [name, { title, description }],
    ),
  );
  return Object.defineProperty({ properties: described }, 'toJSON', {
    value: () => schema,
  });
}
