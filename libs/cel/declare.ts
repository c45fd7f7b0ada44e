/** Functions as libraries declare them: their names, types, and what they do. */
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  opaque,
  optionalOf,
  param,
  plain,
  STRING,
  TIMESTAMP,
  type Type,
  typeOf,
  UINT,
} from './types.ts';
import { ListValue, MapValue, nameOf, type Value } from './values.ts';

export interface Overload {
  readonly fn: string;
  readonly id: string;
  /** Called on its first argument: `x.f(y)`. */
  readonly member: boolean;
  /** With the one that it is called on first. */
  readonly args: readonly Type[];
  readonly result: Type;
  readonly run: (...args: never[]) => Value;
  /** Whether values are of the argument types, as far as running has to know. */
  readonly accepts: readonly ((value: Value) => boolean)[];
}

export type Library = readonly Overload[];

/**
 * Declares overloads of one function by their types:
 *
 *     declare('indexOf', ['string.(string) int', 'string_index_of', (text: string, part: string) => …])
 *
 * Types are `int`, `list(A)`, `map(K, V)`, `optional(A)`, `type(A)` and names of opaque types; single capitals are open.
 */
export function declare(
  fn: string,
  ...overloads: readonly (readonly [signature: string, id: string, run: (...args: never[]) => Value])[]
): Overload[] {
  return overloads.map(([signature, id, run]) => {
    const { member, args, result } = parseSignature(signature);
    return Object.freeze({ fn, id, member, args, result, run, accepts: args.map(acceptOf) });
  });
}

export function parseSignature(text: string): { member: boolean; args: Type[]; result: Type } {
  const reader = new SignatureReader(text.replace(/\s+/g, ''));
  const args: Type[] = [];
  const member = !reader.take('(');
  if (member) {
    args.push(reader.type());
    reader.expect('.(');
  }
  while (!reader.take(')')) {
    args.push(reader.type());
    reader.take(',');
  }
  return { member, args, result: reader.type() };
}

const NAMED: Readonly<Record<string, Type>> = Object.freeze({
  dyn: DYN,
  null: NULL,
  bool: BOOL,
  int: INT,
  uint: UINT,
  double: DOUBLE,
  string: STRING,
  bytes: BYTES,
  timestamp: TIMESTAMP,
  duration: DURATION,
});

class SignatureReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) throw new Error(`${this.#text}: expected ${text} at ${this.#at}`);
  }

  type(): Type {
    const name = /^[A-Za-z][\w]*(?:\.[A-Za-z]\w*)*/.exec(this.#text.slice(this.#at))?.[0];
    if (name === undefined) throw new Error(`${this.#text}: no type at ${this.#at}`);
    this.#at += name.length;
    if (['list', 'map', 'optional', 'type'].includes(name)) {
      this.expect('(');
      const first = this.type();
      const second = this.take(',') ? this.type() : DYN;
      this.expect(')');
      if (name === 'list') return listOf(first);
      if (name === 'map') return mapOf(first, second);
      return name === 'optional' ? optionalOf(first) : typeOf(first);
    }
    if (/^[A-Z]$/.test(name)) return param(name);
    return NAMED[name] ?? opaque(name);
  }
}

function acceptOf(type: Type): (value: Value) => boolean {
  const own = plain(type);
  switch (own.k) {
    case 'dyn':
    case 'param':
    case 'error':
      return () => true;
    case 'list':
      return (value) => value instanceof ListValue;
    case 'map':
      return (value) => value instanceof MapValue;
    case 'type':
      return (value) => nameOf(value) === 'type';
    case 'opaque':
      return (value) => nameOf(value) === own.name;
    case 'object':
      return (value) => nameOf(value) === own.name;
    case 'null':
      return (value) => value === null;
    case 'timestamp':
      return (value) => nameOf(value) === 'google.protobuf.Timestamp';
    case 'duration':
      return (value) => nameOf(value) === 'google.protobuf.Duration';
    default:
      return (value) => nameOf(value) === own.k;
  }
}
