/**
 * Field paths of definitions: `.spec.replicas`, as `scale` and `selectableFields` use them. Only names joined by dots.
 */

/** The names of a path; a leading dot is not part of the first. */
export function fieldsOf(path: string): string[] {
  return path.replace(/^\./, '').split('.');
}

/** What stands at a path; undefined where something on the way is no object or lacks the field. */
export function valueAt(object: unknown, fields: readonly string[]): unknown {
  let value = object;
  for (const field of fields) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, field))
      return undefined;
    value = (value as Record<string, unknown>)[field];
  }
  return value;
}

/** Writes a value to a path, making the objects on the way. What is on the way and no object is replaced. */
export function setAt(object: object, fields: readonly string[], value: unknown): void {
  let at = object as Record<string, unknown>;
  for (const field of fields.slice(0, -1)) {
    const next = Object.hasOwn(at, field) ? at[field] : undefined;
    if (typeof next === 'object' && next !== null && !Array.isArray(next)) at = next as Record<string, unknown>;
    else at = at[field] = {};
  }
  at[fields.at(-1) as string] = value;
}
