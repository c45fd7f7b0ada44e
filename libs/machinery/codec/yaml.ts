/**
 * YAML in and out. In: YAML becomes JSON text, which then takes the path that JSON takes, so that both have the same
 * types, errors and unknown fields. Out: sorted keys, lists not indented, as upstream writes it.
 *
 * Plain scalars mean what YAML 1.1 says (`yes` is true, `0o17` and `017` are 15), as upstream reads them; timestamps stay
 * strings. Only the first document counts. Importing this loads a YAML parser (9 ms): import it where YAML is met.
 */
import {
  DEFAULT_SCALAR_STYLE_RULES,
  DUMP_SCHEMA,
  dump,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  type ScalarLayout,
  type ScalarTagDefinition,
  YAMLException,
} from 'js-yaml';
import type { SchemaSet, StructType, TypeName } from '../schema/ir.ts';
import { DecodeError } from './errors.ts';
import { type Decoded, type DecodeOptions, decodeJson, textOf } from './json.ts';
import { compareKeys, type JsonObject, put } from './values.ts';
import { foldLines } from './yaml-fold.ts';

export interface YamlAsJson {
  json: string;
  /** `line 7: key "a" already set in map`, in the order of the text; the later value is the one in `json`. */
  duplicates: string[];
}

/** Beyond this many values, aliases make the text larger than anyone means (a "billion laughs"). */
const valuesMax = 4_000_000;

/**
 * Translates YAML (or JSON, which is YAML) to JSON text.
 *
 * @throws DecodeError `yaml: line 4: found character that cannot start any token`
 */
export function yamlToJson(input: Uint8Array | string): YamlAsJson {
  const text = textOf(input);
  try {
    return new Translator(text, parseEvents(text, { maxDepth: 10_000 })).document();
  } catch (error) {
    if (error instanceof YAMLException) throw new DecodeError(worded(error));
    if (error instanceof RangeError) throw new DecodeError('yaml: exceeded max depth');
    throw error;
  }
}

/**
 * Decodes an object of a known type from YAML; see `decodeJson`. Where `strict`, duplicate keys come first, all in one
 * error as upstream says them.
 */
export function decodeYaml<T = unknown>(
  set: SchemaSet,
  type: TypeName | StructType,
  input: Uint8Array | string,
  options: DecodeOptions = {},
): Decoded<T> {
  const { json, duplicates } = yamlToJson(input);
  const decoded = decodeJson<T>(set, type, json, options);
  if (options.strict && duplicates.length > 0) {
    decoded.errors.unshift(`yaml: unmarshal errors:\n${duplicates.map((line) => `  ${line}`).join('\n')}`);
  }
  return decoded;
}

/** What upstream's parser says where ours says something else; the rest is said in our parser's words. */
const wordings: readonly (readonly [RegExp, string])[] = [
  [/^tab characters must not be used/, 'found character that cannot start any token'],
  [/^unexpected end of the stream within a (single|double) quoted scalar/, 'found unexpected end of stream'],
  [/^unexpected end of the stream within a flow collection/, "did not find expected ',' or '}'"],
  [/^unknown escape sequence/, 'found unknown escape character'],
  [/^the stream contains non-printable characters/, 'control characters are not allowed'],
  [/^unacceptable YAML version/, 'found incompatible YAML document'],
  [/^end of the stream or a document separator is expected/, 'did not find expected <document start>'],
  [/^bad indentation of a sequence entry/, "did not find expected '-' indicator"],
];

function worded(error: YAMLException): string {
  const mark = error.mark;
  let what = wordings.find(([pattern]) => pattern.test(error.reason))?.[1] ?? error.reason;
  if (error.reason === 'bad indentation of a mapping entry' && mark) what = misplaced(mark.buffer, mark.position);
  // The first line is not counted out, as upstream does not.
  return mark && mark.line > 0 ? `yaml: line ${mark.line + 1}: ${what}` : `yaml: ${what}`;
}

/** Our parser's one message for several things that upstream tells apart, by the character that stands there. */
function misplaced(text: string, at: number): string {
  const char = text[at] ?? '';
  if ('@`%'.includes(char)) return 'found character that cannot start any token';
  const line = text.slice(at, text.indexOf('\n', at) < 0 ? undefined : text.indexOf('\n', at));
  return /:(\s|$)/.test(line) ? 'mapping values are not allowed in this context' : 'did not find expected key';
}

type Value = null | boolean | string | RawNumber | Value[] | Map<string, Value>;

/** A number as JSON writes it. */
class RawNumber {
  readonly json: string;
  constructor(json: string) {
    this.json = json;
  }
}

class Translator {
  readonly #text: string;
  readonly #events: readonly Event[];
  readonly #anchors = new Map<string, { value: Value; count: number }>();
  readonly #duplicates: string[] = [];
  #at = 0;
  #values = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  document(): YamlAsJson {
    const first = this.#events[this.#at++];
    const value = first && this.#events[this.#at]?.type !== EVENT_ID.POP ? this.#value() : null;
    return { json: write(value), duplicates: this.#duplicates };
  }

  #slice(start: number, end: number): string {
    return start < 0 ? '' : this.#text.slice(start, end);
  }

  #value(): Value {
    const event = this.#events[this.#at++] as Event;
    this.#count(1);
    if (event.type === EVENT_ID.ALIAS) {
      const name = this.#slice(event.anchorStart, event.anchorEnd);
      const anchor = this.#anchors.get(name);
      if (!anchor) throw new DecodeError(`yaml: unknown anchor '${name}' referenced`);
      this.#count(anchor.count);
      return anchor.value;
    }
    if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) throw new Error('a YAML value was expected');
    const before = this.#values;
    const value = this.#content(event);
    if (event.anchorStart >= 0) {
      this.#anchors.set(this.#slice(event.anchorStart, event.anchorEnd), { value, count: this.#values - before });
    }
    return value;
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > valuesMax) throw new DecodeError('yaml: document contains excessive aliasing');
  }

  #content(event: Exclude<Event, { type: 1 | 5 | 6 }>): Value {
    const tag = this.#slice(event.tagStart, event.tagEnd);
    if (event.type === EVENT_ID.SCALAR) return resolveScalar(getScalarValue(this.#text, event), event, tag);
    if (event.type === EVENT_ID.SEQUENCE) {
      const items: Value[] = [];
      while (this.#events[this.#at]?.type !== EVENT_ID.POP) items.push(this.#value());
      this.#at++;
      return items;
    }
    return this.#mapping();
  }

  #mapping(): Map<string, Value> {
    const map = new Map<string, Value>();
    const merged: Value[] = [];
    const own = new Set<string>();
    while (this.#events[this.#at]?.type !== EVENT_ID.POP) {
      const keyEvent = this.#events[this.#at] as Event;
      const isMerge =
        keyEvent.type === EVENT_ID.SCALAR &&
        keyEvent.style === SCALAR_STYLE.PLAIN &&
        getScalarValue(this.#text, keyEvent) === '<<';
      const key = this.#value();
      const value = this.#value();
      if (isMerge) {
        merged.push(...(Array.isArray(value) ? value : [value]));
        continue;
      }
      const name = keyText(key);
      if (own.has(name))
        this.#duplicates.push(`line ${this.#lineOf(keyEvent)}: key ${JSON.stringify(name)} already set in map`);
      own.add(name);
      map.set(name, value);
    }
    this.#at++;
    for (const source of merged) {
      if (!(source instanceof Map))
        throw new DecodeError('yaml: map merge requires map or sequence of maps as the value');
      this.#count(source.size);
      for (const [key, value] of source) if (!map.has(key)) map.set(key, value);
    }
    return map;
  }

  #lineOf(event: Event): number {
    const offset = event.type === EVENT_ID.SCALAR ? event.valueStart : 0;
    let line = 1;
    for (let i = this.#text.indexOf('\n'); i >= 0 && i < offset; i = this.#text.indexOf('\n', i + 1)) line++;
    return line;
  }
}

/** Keys of any scalar type become strings. */
function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key instanceof RawNumber) return key.json;
  if (typeof key === 'boolean') return String(key);
  if (key === null) throw new DecodeError('error converting YAML to JSON: unsupported map key of type: nil');
  throw new DecodeError('yaml: invalid map key');
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE'].map((word) => [word, false] as const),
]);

const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/** What a plain scalar means; undefined: a string. */
function resolvePlain(text: string): null | boolean | RawNumber | undefined {
  if (text === '' || text === '~' || text === 'null' || text === 'Null' || text === 'NULL') return null;
  const bool = booleans.get(text);
  if (bool !== undefined) return bool;
  if (!/^[-+.0-9]/.test(text)) return undefined;
  const digits = text.replaceAll('_', '');
  const integer = readInteger(digits);
  if (integer !== undefined) return new RawNumber(integer.toString());
  if (float.test(digits)) {
    const value = Number(digits);
    if (Number.isFinite(value)) return new RawNumber(String(value));
  }
  return undefined;
}

function readInteger(digits: string): bigint | undefined {
  const negative = digits.startsWith('-');
  const body = /^[-+]/.test(digits) ? digits.slice(1) : digits;
  const sign = negative ? -1n : 1n;
  if (/^(0|[1-9][0-9]*)$/.test(body)) return bounded(sign * BigInt(body));
  if (/^0b[01]+$/.test(body) || /^0x[0-9a-fA-F]+$/.test(body) || /^0o[0-7]+$/.test(body))
    return bounded(sign * BigInt(body));
  // A leading zero alone is octal; what does not fit it is decimal to the float rule.
  if (/^0[0-7]+$/.test(body)) return bounded(sign * BigInt(`0o${body.slice(1)}`));
  return undefined;
}

/** Integers reach up to uint64; larger ones are read as floats. */
const bounded = (value: bigint): bigint | undefined => (value >= -(2n ** 63n) && value < 2n ** 64n ? value : undefined);

function resolveScalar(text: string, event: ScalarEvent, tag: string): Value {
  const short = tag.replace('tag:yaml.org,2002:', '!!').replace(/^!<(.*)>$/, '$1');
  if (short === '!!str' || short === '!') return text;
  if (short === '!!binary') return text.replaceAll(/\s/g, '');
  if (short === '' && event.style !== SCALAR_STYLE.PLAIN) return text;
  const value = resolvePlain(text);
  if (short === '!!float' && value instanceof RawNumber) return value;
  if (short === '') return value === undefined ? text : value;
  const type =
    value === null
      ? '!!null'
      : typeof value === 'boolean'
        ? '!!bool'
        : value === undefined
          ? '!!str'
          : /[.e]/.test(value.json)
            ? '!!float'
            : '!!int';
  // A tag of an application means nothing here; one of YAML's own must fit.
  if (!/^!!(null|bool|int|float)$/.test(short)) return value === undefined ? text : value;
  if (type !== short) throw new DecodeError(`yaml: cannot decode ${type} \`${text}\` as a ${short}`);
  return value as null | boolean | RawNumber;
}

function write(value: Value): string {
  if (value instanceof RawNumber) return value.json;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value instanceof Map)
    return `{${[...value].map(([key, one]) => `${JSON.stringify(key)}:${write(one)}`).join(',')}}`;
  return JSON.stringify(value);
}

// Writing

/** Strings that would be read as something else are double-quoted, other quoted ones single, as upstream does. */
function quoteLikeUpstream(layout: ScalarLayout): void {
  const before = layout.style;
  DEFAULT_SCALAR_STYLE_RULES.quoteInvalidPlain(layout);
  const quoted = layout.style === SCALAR_STYLE.DOUBLE_QUOTED || layout.style === SCALAR_STYLE.SINGLE_QUOTED;
  if (before !== layout.style && quoted) {
    const { value } = layout.node;
    const needsDouble = resolvePlain(value) !== undefined || /^\d{4}-\d\d?-\d\d?/.test(value);
    layout.style = needsDouble ? SCALAR_STYLE.DOUBLE_QUOTED : SCALAR_STYLE.SINGLE_QUOTED;
  }
}

/** Only text of several lines becomes a block, unless blanks stand where nobody would see them. */
function blockForLines(layout: ScalarLayout): void {
  const { value } = layout.node;
  if (value.includes('\n') && !/\t| (?:\n|$)/.test(value)) DEFAULT_SCALAR_STYLE_RULES.tryLongOrMultilineAsBlock(layout);
}

const styleRules = Object.values({
  ...DEFAULT_SCALAR_STYLE_RULES,
  quoteInvalidPlain: quoteLikeUpstream,
  tryLongOrMultilineAsBlock: blockForLines,
});

/** Bigints are integers, too. */
const schema = DUMP_SCHEMA.withTags(
  DUMP_SCHEMA.tags
    .filter((tag) => tag.nodeKind === 'scalar' && tag.tagName === 'tag:yaml.org,2002:int')
    .map((tag) => ({
      ...(tag as ScalarTagDefinition),
      identify: (value: unknown) =>
        typeof value === 'bigint' ||
        // From 10^21 on a number's text has an exponent, and is no integer's.
        (Number.isInteger(value) && Math.abs(value as number) < 1e21 && !Object.is(value, -0)),
      represent: String,
    })),
);

/** An object as YAML: what `Accept: application/yaml` is answered with. */
export function encodeYaml(object: unknown): string {
  const text = dump(sorted(object), {
    schema,
    seqNoIndent: true,
    quoteStyle: 'double',
    // Lines are folded below: the writer would make other blocks of them.
    lineWidth: -1,
    noRefs: true,
    scalarStyleRules: styleRules,
  });
  return foldLines(text);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value).sort(compareKeys)) {
    const one = (value as JsonObject)[key];
    if (one !== undefined) put(out, key, sorted(one));
  }
  return out;
}
