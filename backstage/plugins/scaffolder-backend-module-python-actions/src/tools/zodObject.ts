import { z } from 'zod/v3';
import { withLocalDefinitions } from '../actions/localDefinitions';
import { JsonSchema } from '../protocol';

type Definitions = NonNullable<JsonSchema['definitions']>;

/**
 * The actions registry takes Zod 3 objects and turns them back into JSON Schema
 * for its clients. Names, types, choices and descriptions survive the way there
 * and back; finer rules do not, and are left to the service, which checks every input.
 */
export function zodObject(schema: JsonSchema): z.AnyZodObject {
  const local = withLocalDefinitions(schema);
  return objectType(local, local.definitions ?? {});
}

function objectType(
  schema: JsonSchema,
  definitions: Definitions,
): z.AnyZodObject {
  const required = new Set(
    Array.isArray(schema.required) ? schema.required : [],
  );
  const shape = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const type = zodType(property, definitions);
      return [name, required.has(name) ? type : type.optional()];
    }),
  );
  return z.object(shape).passthrough();
}

function zodType(schema: JsonSchema, definitions: Definitions): z.ZodTypeAny {
  const type = bareType(schema, definitions);
  return schema.description ? type.describe(schema.description) : type;
}

function bareType(schema: JsonSchema, definitions: Definitions): z.ZodTypeAny {
  if (schema.$ref) {
    return referredType(schema.$ref, definitions);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    const [first, second, ...others] = choices.map(choice =>
      zodType(choice, definitions),
    );
    return second ? z.union([first, second, ...others]) : first;
  }
  const words = schema.enum?.filter(value => typeof value === 'string');
  if (words?.length && words.length === schema.enum?.length) {
    return z.enum([words[0], ...words.slice(1)]);
  }
  switch (schema.type) {
    case 'string':
      return z.string();
    case 'integer':
      return z.number().int();
    case 'number':
      return z.number();
    case 'boolean':
      return z.boolean();
    case 'null':
      return z.null();
    case 'array':
      return z.array(
        schema.items && !Array.isArray(schema.items)
          ? zodType(schema.items, definitions)
          : z.any(),
      );
    case 'object':
      return schema.properties
        ? objectType(schema, definitions)
        : z.record(z.any());
    default:
      return z.any();
  }
}

function referredType(
  reference: string,
  definitions: Definitions,
): z.ZodTypeAny {
  const name = reference.replace('#/definitions/', '');
  // A definition that contains itself is described to its first round only.
  const { [name]: found, ...others } = definitions;
  return found ? zodType(found, others) : z.any();
}
