/**
 * JSON patch (RFC 6902) with the liberties that upstream's API server takes, because clients rely on them:
 *
 *   - `replace` of a missing key in an object adds it; in a list the index must exist;
 *   - `add`, `replace` and `copy` of something absent write null; `test` of something absent equals null;
 *   - list indices may be negative (counted from the end) and may have leading zeros;
 *   - a path without its leading slash loses its first segment: `data/n` means `/n`.
 *
 * The document is not changed: what the patch touches is copied, the rest is shared with the result. Objects on the way
 * to a change come out with sorted keys, as upstream prints them in messages.
 */
import * as errors from '../errors.ts';
import { jsonEqual } from '../json-equal.ts';
import { compareBytes, jsonTypeOf } from '../quote.ts';

export interface JsonPatchOperation {
  readonly op?: string;
  readonly path?: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Why a patch cannot be applied. The API server hides the text; admission webhooks' answers show it. */
export class JsonPatchError extends Error {
  override readonly name = 'JsonPatchError';
}

/** More operations than this are refused with 413. */
export const jsonPatchOperationsMax = 10_000;
/** What all `copy` operations of one patch may add, as JSON. */
export const jsonPatchCopyBytesMax = 3 * 1024 * 1024;

type JsonObject = Record<string, unknown>;
type Container = JsonObject | unknown[];

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;

/**
 * Checks that a request's body has the form of a JSON patch; null is an empty one.
 *
 * @throws ApiError 400 or 413
 */
export function jsonPatchOf(body: unknown): readonly JsonPatchOperation[] {
  const wrong = (value: unknown, where: string): never => {
    throw errors.badRequest(`error decoding patch: json: cannot unmarshal ${jsonTypeOf(value)} into Go ${where}`);
  };
  if (body === null) return [];
  if (!Array.isArray(body)) return wrong(body, 'value of type []handlers.jsonPatchOp');
  if (body.length > jsonPatchOperationsMax) {
    const message = `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${body.length}`;
    throw new errors.ApiError(errors.failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`));
  }
  for (const operation of body as unknown[]) {
    if (operation === null) continue;
    if (!isObject(operation)) return wrong(operation, 'value of type handlers.jsonPatchOp');
    for (const key of ['op', 'path', 'from']) {
      const value = operation[key];
      if (value !== undefined && value !== null && typeof value !== 'string') {
        return wrong(value, `struct field jsonPatchOp.${key} of type string`);
      }
    }
  }
  return body.map((operation: unknown) => (operation ?? {}) as JsonPatchOperation);
}

const decodeKey = (key: string): string => key.replaceAll('~1', '/').replaceAll('~0', '~');

/** The list index that a key names, within `0 … length − 1 + extra`. */
function indexOf(key: string, length: number, extra: 0 | 1): number {
  if (!/^[+-]?[0-9]+$/.test(key)) {
    throw new JsonPatchError(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  }
  const size = length + extra;
  const index = Number(key);
  if (index >= size || index < -size) {
    throw new JsonPatchError(`Unable to access invalid index: ${index}: invalid index referenced`);
  }
  return index < 0 ? index + size : index + 0;
}

/** A document in change: containers on the way to a change are copied once and then owned. */
class Draft {
  root: unknown;
  readonly #owned = new Set<Container>();
  #copied = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  #own(container: Container): Container {
    if (this.#owned.has(container)) return container;
    const copy = Array.isArray(container) ? [...container] : { ...container };
    this.#owned.add(copy);
    return copy;
  }

  /** The container that holds the path's last step, ready to be changed; undefined where the way is missing. */
  find(path: string): { holder: Container; key: string } | undefined {
    const parts = path.split('/');
    if (parts.length < 2 || !isContainer(this.root)) return undefined;
    let holder = this.#own(this.root);
    this.root = holder;
    for (const part of parts.slice(1, -1)) {
      const key = decodeKey(part);
      const next = child(holder, key);
      if (!isContainer(next)) return undefined;
      const owned = this.#own(next);
      if (Array.isArray(holder)) holder[indexOf(key, holder.length, 0)] = owned;
      else holder[key] = owned;
      holder = owned;
    }
    return { holder, key: decodeKey(parts.at(-1) as string) };
  }

  /** A copy that later operations may change on its own. */
  copyOf(value: unknown): unknown {
    if (!isContainer(value)) return value;
    this.#copied += JSON.stringify(value, (_, item: unknown) =>
      typeof item === 'bigint' ? Number(item) : item,
    ).length;
    if (this.#copied > jsonPatchCopyBytesMax) {
      throw new JsonPatchError(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, ` +
          `exceeding the limit ${jsonPatchCopyBytesMax}`,
      );
    }
    return structuredClone(value);
  }

  /** The result: changed objects in the order of their keys. */
  finish(): unknown {
    for (const container of this.#owned) {
      if (Array.isArray(container)) continue;
      const entries = Object.entries(container).sort(([a], [b]) => compareBytes(a, b));
      for (const [key] of entries) delete container[key];
      for (const [key, value] of entries) container[key] = value;
    }
    return this.root;
  }
}

/** The value at a key; undefined where the way is missing, and for null. */
function child(holder: Container, key: string): unknown {
  if (!Array.isArray(holder)) return Object.hasOwn(holder, key) ? holder[key] : undefined;
  try {
    return holder[indexOf(key, holder.length, 0)];
  } catch {
    return undefined;
  }
}

function get(holder: Container, key: string): unknown {
  if (Array.isArray(holder)) return holder[indexOf(key, holder.length, 0)] ?? null;
  return Object.hasOwn(holder, key) ? (holder[key] ?? null) : null;
}

function setOwn(holder: JsonObject, key: string, value: unknown): void {
  // `__proto__` as a key is data like any other.
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function add(holder: Container, key: string, value: unknown): void {
  if (!Array.isArray(holder)) setOwn(holder, key, value);
  else if (key === '-') holder.push(value);
  else holder.splice(indexOf(key, holder.length, 1), 0, value);
}

function remove(holder: Container, key: string): void {
  if (Array.isArray(holder)) holder.splice(indexOf(key, holder.length, 0), 1);
  else if (Object.hasOwn(holder, key)) delete holder[key];
  else throw new JsonPatchError(`Unable to remove nonexistent key: ${key}: missing value`);
}

function replace(holder: Container, key: string, value: unknown): void {
  if (Array.isArray(holder)) holder[indexOf(key, holder.length, 0)] = value;
  else setOwn(holder, key, value);
}

/** Runs a step; a failure is told with where it happened. */
function within<T>(where: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof JsonPatchError)) throw error;
    throw new JsonPatchError(`${where}: ${error.message}`);
  }
}

const missing = (message: string): never => {
  throw new JsonPatchError(`${message}: missing value`);
};

function applyOne(draft: Draft, { op, path, from, value = null }: JsonPatchOperation, given: boolean): void {
  const needPath = (): string => path ?? missing(`${op} operation failed to decode path`);
  const needFrom = (): string => from ?? missing(`${op} operation failed to decode from`);
  switch (op) {
    case 'add': {
      const at = needPath();
      const found = draft.find(at) ?? missing(`add operation does not apply: doc is missing path: "${at}"`);
      return within(`error in add for path: '${at}'`, () => add(found.holder, found.key, value));
    }
    case 'remove': {
      const at = needPath();
      const found = draft.find(at) ?? missing(`remove operation does not apply: doc is missing path: "${at}"`);
      return within(`error in remove for path: '${at}'`, () => remove(found.holder, found.key));
    }
    case 'replace': {
      const at = needPath();
      if (at === '') {
        if (!isContainer(value)) throw new JsonPatchError('replace operation value must be object or array');
        draft.root = value;
        return;
      }
      const found = draft.find(at) ?? missing(`replace operation does not apply: doc is missing path: ${at}`);
      try {
        return replace(found.holder, found.key, value);
      } catch (error) {
        if (!(error instanceof JsonPatchError)) throw error;
        return missing(`replace operation does not apply: doc is missing key: ${at}`);
      }
    }
    case 'move': {
      const source = needFrom();
      const taken = draft.find(source) ?? missing(`move operation does not apply: doc is missing from path: ${source}`);
      const moved = within(`error in move for path: '${taken.key}'`, () => {
        const item = get(taken.holder, taken.key);
        remove(taken.holder, taken.key);
        return item;
      });
      const at = needPath();
      const found = draft.find(at) ?? missing(`move operation does not apply: doc is missing destination path: ${at}`);
      return within(`error in move for path: '${at}'`, () => add(found.holder, found.key, moved));
    }
    case 'copy': {
      const source = needFrom();
      const taken = draft.find(source) ?? missing(`copy operation does not apply: doc is missing from path: ${source}`);
      const item = within(`error in copy for from: '${source}'`, () => get(taken.holder, taken.key));
      const at = needPath();
      const found = draft.find(at) ?? missing(`copy operation does not apply: doc is missing destination path: ${at}`);
      const copy = draft.copyOf(item);
      return within('error while adding value during copy', () => add(found.holder, found.key, copy));
    }
    case 'test': {
      const at = needPath();
      let actual: unknown = draft.root;
      if (at !== '') {
        const found = draft.find(at) ?? missing(`test operation does not apply: is missing path: ${at}`);
        actual = within(`error in test for path: '${at}'`, () => get(found.holder, found.key));
      }
      const same = given || actual === null ? jsonEqual(actual, value) : false;
      if (!same) throw new JsonPatchError(`testing value ${at} failed: test failed`);
      return;
    }
    default:
      throw new JsonPatchError(`Unexpected kind: ${op ?? 'unknown'}`);
  }
}

/**
 * Applies the operations in order; all or none.
 *
 * @throws JsonPatchError (the API server answers `errors.unprocessable()`)
 */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  if (operations.length === 0) return document;
  const draft = new Draft(document);
  for (const operation of operations) applyOne(draft, operation, Object.hasOwn(operation, 'value'));
  return draft.finish();
}
