/** Paths to fields of a schema, as `selectableFields` and the `fieldPath` of rules write them: `.spec.a`, `['a.b']`. */
import { propertyOf, type Schema, valuesOf } from './schema.ts';

/** Thrown for a path that leads nowhere; the message is the one clients see. */
export class FieldPathError extends Error {
  override readonly name = 'FieldPathError';
}

export interface ResolvedFieldPath {
  /** As errors write it: `spec.a`, `spec.m[key]`. */
  readonly path: string;
  readonly schema: Schema;
}

/**
 * Follows a path from `schema`. `arrays: false` refuses brackets altogether; otherwise `['name']` stands for a property or a
 * map's key whose name has other characters than letters, digits and `_`.
 *
 * @throws FieldPathError
 */
export function resolveFieldPath(
  text: string,
  schema: Schema,
  { arrays = true }: { arrays?: boolean } = {},
): ResolvedFieldPath {
  if (text === '') throw new FieldPathError('must not be empty');
  let at = schema;
  let path = '';
  for (let rest = text; rest !== ''; ) {
    const dotted = /^\.([a-zA-Z_][a-zA-Z0-9_]*)/.exec(rest);
    const quoted = /^\['((?:[^'\\]|\\.)*)'\]/.exec(rest);
    if (!dotted && rest.startsWith('[')) {
      if (!arrays) throw new FieldPathError('array notation is not allowed');
      if (!quoted) throw new FieldPathError('expected single quoted string but got ' + (rest[1] ?? ''));
    }
    const match = dotted ?? quoted;
    if (!match) {
      throw new FieldPathError(
        rest.startsWith('.')
          ? 'does not refer to a valid field'
          : `expected [ or . but got: ${/^[\w$-]+|./.exec(rest)?.[0] ?? ''}`,
      );
    }
    const name = dotted ? (match[1] as string) : (match[1] as string).replace(/\\(.)/g, '$1');
    const property = propertyOf(at, name);
    const next = property ?? valuesOf(at);
    if (!next) throw new FieldPathError('does not refer to a valid field');
    path = property ? (path === '' ? name : `${path}.${name}`) : `${path}[${name}]`;
    at = next;
    rest = rest.slice(match[0].length);
  }
  return { path, schema: at };
}
