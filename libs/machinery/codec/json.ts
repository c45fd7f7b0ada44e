/**
 * JSON in and out of canonical objects, for built-in and custom types alike.
 *
 *   const { object } = decodeJson(set, 'core.v1.Pod', body);       // canonical, owned by the caller
 *   encodeJson(set, 'core.v1.Pod', object);                        // the text that is stored and served
 *   const copy = normalize(set, 'core.v1.Pod', { spec: … });       // what every in-process write passes through
 *
 * Canonical is: fields in wire order, maps sorted, no unknown fields, empty values present or absent as the schema says,
 * quantities, times and base64 in their one spelling. Decoding costs about twice a bare `JSON.parse`; encoding a canonical
 * object is one `JSON.stringify`.
 */
import type { SchemaSet, StructType, TypeName } from '../schema/ir.ts';
import { canonicalOf, Run } from './canonical.ts';
import { DecodeError } from './errors.ts';
import { decodeExactly, plain } from './exact.ts';
import { type JsonNode, JsonSyntaxError, parseJson } from './parse.ts';
import { type Precheck, precheck } from './precheck.ts';

export interface DecodeOptions {
  /** Report unknown and duplicate fields. Otherwise they are dropped, and the last duplicate counts. */
  strict?: boolean;
}

export interface Decoded<T = unknown> {
  object: T;
  /** `unknown field "spec.foo"`, `duplicate field "spec.bar"`; empty unless `strict`. */
  errors: string[];
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes as text; what is no UTF-8 becomes U+FFFD, as upstream reads it. */
export function textOf(input: Uint8Array | string): string {
  return typeof input === 'string' ? input : decoder.decode(input);
}

/** A text that has been looked at once, for who asks several things of it: first what it is, then what it says. */
export interface ReadText {
  readonly text: string;
  readonly seen: Precheck;
  /** What `JSON.parse` makes of it, undefined where that is nothing; `decodeJson` takes it over. */
  readonly value: unknown;
}

/** Looks at a text; never throws. */
export function readText(input: Uint8Array | string): ReadText {
  const text = textOf(input);
  const seen = precheck(text);
  return { text, seen, value: seen.tooDeepAt >= 0 ? undefined : parseQuickly(text) };
}

const goTypeMeta =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

const isRead = (input: Uint8Array | string | ReadText): input is ReadText =>
  typeof input === 'object' && !(input instanceof Uint8Array);

function resolve(set: SchemaSet, type: TypeName | StructType): StructType {
  return typeof type === 'string' ? set.get(type) : type;
}

/**
 * Decodes an object of a known type. The result shares nothing with other calls.
 *
 * @throws DecodeError where the text is no JSON or does not fit the type; the message is upstream's
 */
export function decodeJson<T = unknown>(
  set: SchemaSet,
  type: TypeName | StructType,
  input: Uint8Array | string | ReadText,
  options: DecodeOptions = {},
): Decoded<T> {
  const struct = resolve(set, type);
  const { text, seen, value } = isRead(input) ? input : readText(input);
  const strict = options.strict === true;
  return shallow(() => {
    if (!seen.exact && typeof value === 'object' && value !== null) {
      const run = new Run(strict);
      const object = canonicalOf(set, struct).adopt(value, run);
      if (!run.bad && run.keys === seen.keys) return { object: object as T, errors: [] };
    }
    return decodeSlowly<T>(set, struct, parseStrictly(text, seen), strict);
  });
}

/**
 * `decodeJson` of a value's text, which is only made where something is to be said about it. The result shares nothing with
 * the value but what is frozen and has no schema, and what `before` has at the same place: see `normalize`.
 *
 * @throws DecodeError as `decodeJson`
 */
export function decodeValue<T = unknown>(
  set: SchemaSet,
  type: TypeName | StructType,
  value: unknown,
  options: DecodeOptions = {},
  before?: unknown,
): Decoded<T> {
  const struct = resolve(set, type);
  const run = new Run(options.strict === true);
  const object = shallow(() => canonicalOf(set, struct).copy(value, run, before));
  return run.bad ? decodeJson<T>(set, struct, stringify(value), options) : { object: object as T, errors: [] };
}

/** Nesting that is allowed, yet deeper than this process's stack, is refused like nesting that is not. */
function shallow<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) throw new DecodeError('exceeded max depth');
    throw error;
  }
}

function parseQuickly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decodeSlowly<T>(set: SchemaSet, type: StructType, node: JsonNode, strict: boolean): Decoded<T> {
  const { value, strict: errors } = decodeExactly(set, type, node);
  const run = new Run();
  const object = canonicalOf(set, type).adopt(value ?? {}, run);
  if (run.bad) throw new Error(`${type.name}: decoded without an error, yet not canonical`);
  return { object: object as T, errors: strict ? errors : [] };
}

function parseStrictly(text: string, seen: Precheck): JsonNode {
  if (seen.tooDeepAt >= 0) throw new DecodeError(`invalid character '${text[seen.tooDeepAt]}' exceeded max depth`);
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw new DecodeError(error.message);
    throw error;
  }
}

/** Decodes JSON without a schema: integers are exact within 64 bits. @throws DecodeError */
export function decodeAny(input: Uint8Array | string): unknown {
  const text = textOf(input);
  const seen = precheck(text);
  const value = seen.exact || seen.tooDeepAt >= 0 ? undefined : parseQuickly(text);
  return value === undefined ? shallow(() => plain(parseStrictly(text, seen))) : value;
}

/** Whether a value has both names itself, and not from a `__proto__` that its text had. */
const isNamed = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'apiVersion') && Object.hasOwn(value, 'kind');

/**
 * What names an object's type, read before its type is known.
 *
 * @throws DecodeError `couldn't get version/kind; json parse error: …`
 */
export function readTypeMeta(input: Uint8Array | string | ReadText): { apiVersion: string; kind: string } {
  const refuse = (message: string): never => {
    throw new DecodeError(`couldn't get version/kind; json parse error: ${message}`);
  };
  const { text, seen, value: quick } = isRead(input) ? input : readText(input);
  let value = quick;
  if (value === undefined) {
    try {
      value = shallow(() => plain(parseStrictly(text, seen)));
    } catch (error) {
      return refuse((error as Error).message);
    }
  }
  if (value === null) return { apiVersion: '', kind: '' };
  const { apiVersion, kind } = value as Record<string, unknown>;
  if (typeof apiVersion === 'string' && typeof kind === 'string' && isNamed(value)) return { apiVersion, kind };
  const kindOf = (one: unknown): string =>
    Array.isArray(one) ? 'array' : typeof one === 'boolean' ? 'bool' : typeof one;
  if (typeof value !== 'object' || Array.isArray(value))
    return refuse(`json: cannot unmarshal ${kindOf(value)} into Go value of type ${goTypeMeta}`);
  const member = (name: 'apiVersion' | 'kind'): string => {
    const one = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : '';
    if (typeof one === 'string') return one;
    if (one === null) return '';
    return refuse(`json: cannot unmarshal ${kindOf(one)} into Go struct field .${name} of type string`);
  };
  // The first of the two that is wrong is cited, in the order of the text.
  const order =
    Object.keys(value).indexOf('kind') < Object.keys(value).indexOf('apiVersion')
      ? (['kind', 'apiVersion'] as const)
      : (['apiVersion', 'kind'] as const);
  const found = { apiVersion: '', kind: '' };
  for (const name of order) found[name] = member(name);
  return found;
}

// Writing

const unsafe = /[<>&\u2028\u2029]/;
const unsafeAll = /[<>&\u2028\u2029]/g;
const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON text of any value; bigints are written raw, `<`, `>`, `&` and two line separators escaped, as upstream does. */
export function stringify(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    text = stringifyWithBigints(value);
  }
  return unsafe.test(text) ? text.replace(unsafeAll, (char) => escapes[char] as string) : text;
}

function stringifyWithBigints(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value))
    return `[${value.map((one: unknown) => (one === undefined ? 'null' : stringifyWithBigints(one))).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, one]) => one !== undefined);
    return `{${members.map(([key, one]) => `${JSON.stringify(key)}:${stringifyWithBigints(one)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/**
 * The text of an object. `canonical: true` promises that it came from `decodeJson` or `normalize` and was not changed
 * since; it is then written as it is. Otherwise it passes through `normalize` first.
 */
export function encodeJson(
  set: SchemaSet,
  type: TypeName | StructType,
  object: unknown,
  options: { canonical?: boolean } = {},
): string {
  return stringify(options.canonical ? object : normalize(set, type, object));
}

/**
 * The compiled copy: a new canonical object that shares nothing with the caller's but what is frozen and has no schema.
 * Undefined and unknown fields are dropped; frozen input is fine. `before`: the canonical and frozen object that it
 * replaces; parts of built-in types that both have at the same place stay the same parts.
 *
 * @throws DecodeError where a value does not fit its type, worded as if it had come as JSON
 */
export function normalize<T = unknown>(
  set: SchemaSet,
  type: TypeName | StructType,
  object: unknown,
  before?: unknown,
): T {
  const struct = resolve(set, type);
  const run = new Run();
  const copy = canonicalOf(set, struct).copy(object, run, before);
  return (run.bad ? decodeSlowly(set, struct, parseJson(stringifyWithBigints(object)), false).object : copy) as T;
}

/**
 * As `normalize`, but the object is taken over, and changed in place where it is not canonical: what was decoded and has been
 * filled in since. Frozen parts are copied, but for those that `before` has at the same place.
 *
 * @throws DecodeError as `normalize`
 */
export function settle<T = unknown>(set: SchemaSet, type: TypeName | StructType, object: unknown, before?: unknown): T {
  const struct = resolve(set, type);
  const run = new Run();
  const settled = canonicalOf(set, struct).adopt(object, run, before);
  return (run.bad ? decodeSlowly(set, struct, parseJson(stringifyWithBigints(object)), false).object : settled) as T;
}

/** Indents JSON text by two blanks, as `?pretty=true` asks for; literals stay as they are written. */
export function prettyJson(text: string): string {
  let out = '';
  let indent = '\n';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      out += text.slice(start, i + 1);
    } else if (char === '{' || char === '[') {
      const close = text[i + 1];
      if (close === '}' || close === ']') {
        out += char + close;
        i++;
      } else {
        indent += '  ';
        out += char + indent;
      }
    } else if (char === '}' || char === ']') {
      indent = indent.slice(0, -2);
      out += indent + char;
    } else if (char === ',') {
      out += char + indent;
    } else {
      out += char === ':' ? ': ' : char;
    }
  }
  return out;
}
