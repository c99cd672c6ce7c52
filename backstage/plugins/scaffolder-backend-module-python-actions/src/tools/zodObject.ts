import { z } from 'zod/v3';
import { JsonSchema } from '../protocol';

/**
 * The actions registry takes Zod 3 objects and turns them back into JSON Schema
 * for its clients. Names, types, choices and descriptions survive the way there
 * and back; finer rules do not, and are left to the service, which checks every input.
 */
export function zodObject(schema: JsonSchema): z.AnyZodObject {
  const required = new Set(
    Array.isArray(schema.required) ? schema.required : [],
  );
  const shape = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => {
      const type = zodType(property, schema);
      return [name, required.has(name) ? type : type.optional()];
    }),
  );
  return z.object(shape).passthrough();
}

function zodType(schema: JsonSchema, root: JsonSchema): z.ZodTypeAny {
  const type = bareType(schema, root);
  return schema.description ? type.describe(schema.description) : type;
}

function bareType(schema: JsonSchema, root: JsonSchema): z.ZodTypeAny {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    const [first, second, ...others] = choices.map(one => zodType(one, root));
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
          ? zodType(schema.items, root)
          : z.any(),
      );
    case 'object':
      return schema.properties ? zodObject(schema) : z.record(z.any());
    default:
      return z.any();
  }
}
