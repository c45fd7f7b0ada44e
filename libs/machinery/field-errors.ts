/**
 * Errors of one field of an object, as validation collects them, and how they read.
 *
 *     import * as field from '…/field-errors.ts';
 *     const path = field.path('spec', 'ports').index(0);
 *     errors.push(field.invalid(path.child('port'), 0, 'must be between 1 and 65535, inclusive'));
 *     // spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
 *
 * Validation returns an `ErrorList`, empty when all is well; `errors.ts` makes the 422 Status of it.
 */
import { float, json, quote } from './quote.ts';

/** What is wrong, in the words of `Status.details.causes[].reason`. */
export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooShort'
  | 'FieldValueTooMany'
  | 'FieldValueTooFew'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

export interface FieldError {
  readonly type: FieldErrorType;
  /** `spec.containers[0].name` */
  readonly field: string;
  /** The offending value; `omitted` where the message shows none. */
  readonly value: unknown;
  /** What stands after the value; may be empty. */
  readonly detail: string;
}

export type ErrorList = FieldError[];

/**
 * What several checks found, in their order. As `[...a(), ...b()]`, at a fraction of its cost where, as of most objects,
 * there is nothing to find.
 */
export function together<T>(...found: readonly (readonly T[])[]): T[] {
  const all: T[] = [];
  for (let i = 0; i < found.length; i++) {
    const list = found[i] as readonly T[];
    for (let k = 0; k < list.length; k++) all.push(list[k] as T);
  }
  return all;
}

/** As a value: the message names the kind of error without showing one. */
export const omitted: unique symbol = Symbol('omitted');

/** A value whose printed form is known already: `verbatim('{"Type":"Odd"}')`. */
export class Verbatim {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Prints as the text stands, without quotes. */
export function verbatim(text: string): Verbatim {
  return new Verbatim(text);
}

const typeTexts: Readonly<Record<FieldErrorType, string>> = Object.freeze({
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooShort: 'Too short',
  FieldValueTooMany: 'Too many',
  FieldValueTooFew: 'Too few',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
});

/** These never show the value, whatever it is. */
const withoutValue: ReadonlySet<FieldErrorType> = new Set<FieldErrorType>([
  'FieldValueRequired',
  'FieldValueForbidden',
  'FieldValueTooLong',
  'FieldValueTooShort',
  'InternalError',
]);

/**
 * A place in an object. Immutable, and written out only when an error needs it, so that validating a good object costs
 * no strings.
 */
export class Path {
  readonly #parent: Path | undefined;
  /** A field's name, or what stands between brackets. */
  readonly #step: string | number;
  readonly #bracketed: boolean;

  constructor(parent: Path | undefined, step: string | number, bracketed: boolean) {
    this.#parent = parent;
    this.#step = step;
    this.#bracketed = bracketed;
  }

  /** The field `name` below, and below that the further ones. */
  child(name: string, ...more: string[]): Path {
    let path = new Path(this, name, false);
    for (let i = 0; i < more.length; i++) path = new Path(path, more[i] as string, false);
    return path;
  }

  /** The list item at `index`. */
  index(index: number): Path {
    return new Path(this, index, true);
  }

  /** The map's value at `key`. */
  key(key: string): Path {
    return new Path(this, key, true);
  }

  /** The field or list that holds this place; undefined at the top. */
  get parent(): Path | undefined {
    return this.#parent;
  }

  toString(): string {
    let text = '';
    for (let at: Path | undefined = this; at !== undefined; at = at.#parent) {
      const step = at.#bracketed ? `[${at.#step}]` : at.#parent === undefined ? `${at.#step}` : `.${at.#step}`;
      text = step + text;
    }
    return text;
  }
}

/** A path from the top of the object: `path('spec', 'template')`. */
export function path(name: string, ...more: string[]): Path {
  const top = new Path(undefined, name, false);
  return more.length === 0 ? top : top.child(...(more as [string, ...string[]]));
}

/** Where an error is: a path, its text, or undefined for the whole object. */
export type Place = Path | string | undefined;

const make = (type: FieldErrorType, at: Place, value: unknown, detail: string): FieldError => ({
  type,
  field: at === undefined ? '<nil>' : String(at),
  value,
  detail,
});

/** A value must be given. */
export function required(at: Place, detail = ''): FieldError {
  return make('FieldValueRequired', at, '', detail);
}

/** The value is malformed. */
export function invalid(at: Place, value: unknown, detail: string): FieldError {
  return make('FieldValueInvalid', at, value, detail);
}

/** The value has not the type that the schema asks for. */
export function typeInvalid(at: Place, value: unknown, detail: string): FieldError {
  return make('FieldValueTypeInvalid', at, value, detail);
}

/** The value is not one of a closed set; `valid` is shown in the order given (upstream mostly sorts it). */
export function notSupported(at: Place, value: unknown, valid: readonly string[]): FieldError {
  const detail = valid.length === 0 ? '' : `supported values: ${valid.map(quote).join(', ')}`;
  return make('FieldValueNotSupported', at, value, detail);
}

/** The value would be fine elsewhere, but not here or not now. */
export function forbidden(at: Place, detail: string): FieldError {
  return make('FieldValueForbidden', at, '', detail);
}

/** The value must be unique and is not. */
export function duplicate(at: Place, value: unknown): FieldError {
  return make('FieldValueDuplicate', at, value, '');
}

/** The value refers to something that is not there. */
export function notFound(at: Place, value: unknown): FieldError {
  return make('FieldValueNotFound', at, value, '');
}

const atMost = (most: number, unit: string): string =>
  most < 0 ? 'value is too long' : `may not be more than ${most} ${unit}${most === 1 ? '' : 's'}`;

/** The text has more than `most` bytes. */
export function tooLong(at: Place, most: number): FieldError {
  return make('FieldValueTooLong', at, omitted, atMost(most, 'byte'));
}

/** The text has more than `most` characters. */
export function tooLongCharacters(at: Place, most: number): FieldError {
  return make('FieldValueTooLong', at, omitted, atMost(most, 'character'));
}

/** The text has fewer than `least` characters. */
export function tooShort(at: Place, least: number): FieldError {
  const detail = least < 0 ? 'value is too short' : `must be at least ${least} character${least === 1 ? '' : 's'}`;
  return make('FieldValueTooShort', at, omitted, detail);
}

/** The list has `actual` items (shown unless negative), more than `most`. */
export function tooMany(at: Place, actual: number, most: number): FieldError {
  const detail = most < 0 ? 'has too many items' : `must have at most ${most} item${most === 1 ? '' : 's'}`;
  return make('FieldValueTooMany', at, actual < 0 ? omitted : actual, detail);
}

/** The list has `actual` items (shown unless negative), fewer than `least`. */
export function tooFew(at: Place, actual: number, least: number): FieldError {
  const detail = least < 0 ? 'has too few items' : `must have at least ${least} item${least === 1 ? '' : 's'}`;
  return make('FieldValueTooFew', at, actual < 0 ? omitted : actual, detail);
}

/** The server failed while looking at the field. */
export function internalError(at: Place, message: string): FieldError {
  return make('InternalError', at, omitted, message);
}

function printed(value: unknown): string {
  if (value instanceof Verbatim) return value.text;
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      return Number.isInteger(value) && Math.abs(value) < 1e21 ? String(value) : float(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return json(value);
  }
}

/** The message without the field: `Invalid value: "x": must be …`. Becomes `causes[].message`. */
export function bodyOf(error: FieldError): string {
  const kind = typeTexts[error.type];
  const shown = withoutValue.has(error.type) || error.value === omitted ? kind : `${kind}: ${printed(error.value)}`;
  return error.detail === '' ? shown : `${shown}: ${error.detail}`;
}

/** The whole message: `spec.x: Invalid value: …`. */
export function textOf(error: FieldError): string {
  return `${error.field}: ${bodyOf(error)}`;
}

/** All messages as one: a single one as it is, several as `[a, b]`, equal ones once. */
export function aggregate(errors: readonly FieldError[]): string {
  return aggregateTexts(errors.map(textOf));
}

/** The same for texts. */
export function aggregateTexts(texts: readonly string[]): string {
  const unique = [...new Set(texts)];
  return unique.length === 1 ? (unique[0] as string) : `[${unique.join(', ')}]`;
}

/** The same errors, seen from above: `below('spec.template', errors)` puts a path in front of each field. */
export function below(prefix: Place, errors: readonly FieldError[]): ErrorList {
  const top = String(prefix);
  return errors.map((error) => ({
    ...error,
    field: error.field.startsWith('[') ? top + error.field : `${top}.${error.field}`,
  }));
}
