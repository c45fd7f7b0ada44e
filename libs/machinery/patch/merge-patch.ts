/**
 * JSON merge patch (RFC 7386): objects are merged, null removes, everything else replaces. Nulls within newly added
 * objects vanish, as the RFC says, and so do those of objects inside lists, as upstream does.
 *
 * The document is not changed: what the patch touches is copied, the rest is shared with the result.
 */
import * as errors from '../errors.ts';
import { compareBytes, jsonTypeOf } from '../quote.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Checks that a request's body has the form of a merge patch.
 *
 * @throws ApiError 400
 */
export function mergePatchOf(body: unknown): JsonObject {
  if (isObject(body)) return body;
  if (body === null) throw errors.badRequest('Invalid JSON Patch');
  throw errors.badRequest(
    `error decoding patch: json: cannot unmarshal ${jsonTypeOf(body)} into Go value of type map[string]interface {}`,
  );
}

/** An object of these entries in the order of their keys; `__proto__` is a key like any other. */
function objectOf(entries: [string, unknown][]): JsonObject {
  return Object.fromEntries(entries.sort(([a], [b]) => compareBytes(a, b)));
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return objectOf(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]): [string, unknown] => [key, withoutNulls(item)]),
  );
}

/** Applies a merge patch. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return isObject(document) ? patch : withoutNulls(patch);
  if (!isObject(document)) return withoutNulls(patch);
  const entries = new Map(Object.entries(document));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) entries.delete(key);
    else {
      const current = entries.get(key);
      entries.set(
        key,
        current === undefined || current === null ? withoutNulls(value) : applyMergePatch(current, value),
      );
    }
  }
  return objectOf([...entries]);
}
