import { JsonSchema } from '../protocol';

/**
 * The scaffolder's validator does not know `$defs`, where today's JSON Schema
 * keeps shared parts; it knows the older name `definitions`.
 */
export function withLocalDefinitions(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return typeof value === 'string'
        ? value.replace(/^#\/\$defs\//, '#/definitions/')
        : value;
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [
        key === '$defs' ? 'definitions' : key,
        part,
      ]),
    );
  });
}
