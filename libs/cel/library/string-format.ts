/** `"%s of %d".format([…])`: text with values in it (the string extension, version 2). */
import { json } from '../../machinery/quote.ts';
import { declare, type Library } from '../declare.ts';
import {
  Duration,
  EvaluationError,
  formatDurationSeconds,
  formatTimestamp,
  ListValue,
  MapValue,
  nameOf,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from '../values.ts';

const DIRECTIVE = /%(?:\.(\d*))?([A-Za-z%]?)/g;
const PRECISION = 6;

function format(text: string, args: ListValue): string {
  let next = 0;
  return text.replace(DIRECTIVE, (_whole, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (verb === '') throw new EvaluationError('could not parse formatting clause: unexpected end of string');
    if (next >= args.items.length) throw new EvaluationError(`index ${next} out of range`);
    return formatOne(verb, args.items[next++] as Value, precision === undefined ? PRECISION : Number(precision));
  });
}

function formatOne(verb: string, value: Value, precision: number): string {
  switch (verb) {
    case 's':
      return asText(value, false);
    case 'd':
      return asDecimal(value);
    case 'f':
    case 'e':
      return asFraction(value, precision, verb === 'e');
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : integerOf(value, 'binary').toString(2);
    case 'o':
      return integerOf(value, 'octal').toString(8);
    case 'x':
      return asHex(value);
    case 'X':
      return asHex(value).toUpperCase();
    default:
      throw new EvaluationError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

/** Texts within lists and maps stand in quotation marks. */
function asText(value: Value, inner: boolean): string {
  if (typeof value === 'string') return inner ? json(value) : value;
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof ListValue) return `[${value.items.map((item) => asText(item, true)).join(', ')}]`;
  if (value instanceof MapValue) {
    const entries = [...value.entries()].map(([key, one]) => `${asText(key, true)}: ${asText(one, true)}`);
    return `{${entries.sort().join(', ')}}`;
  }
  if (value instanceof Timestamp)
    return inner ? `timestamp("${formatTimestamp(value.nanos)}")` : formatTimestamp(value.nanos);
  if (value instanceof Duration) {
    const text = formatDurationSeconds(value.nanos);
    return inner ? `duration("${text}")` : text;
  }
  if (value instanceof TypeValue) return value.name;
  if (typeof value === 'object' && value !== null) throw unfit('string', value);
  return String(value);
}

function unfit(clause: string, value: Value): EvaluationError {
  return new EvaluationError(`${clause} clause can only be used on other types, was given ${nameOf(value)}`);
}

function asDecimal(value: Value): string {
  if (typeof value === 'number' && !Number.isFinite(value)) return asText(value, false);
  return String(integerOf(value, 'decimal'));
}

function integerOf(value: Value, clause: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value;
  throw new EvaluationError(
    `error during formatting: ${clause} clause can only be used on integers, was given ${nameOf(value)}`,
  );
}

function asFraction(value: Value, precision: number, scientific: boolean): string {
  const number = typeof value === 'bigint' ? Number(value) : value instanceof Uint ? Number(value.value) : value;
  if (typeof number !== 'number') {
    const clause = scientific ? 'scientific' : 'fixed-point';
    throw new EvaluationError(
      `error during formatting: ${clause} clause can only be used on doubles, was given ${nameOf(value)}`,
    );
  }
  if (!Number.isFinite(number)) return String(number);
  if (!scientific) return number.toFixed(precision);
  return number.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
}

function asHex(value: Value): string {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  if (bytes instanceof Uint8Array) return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return integerOf(value, 'hex').toString(16);
}

export const stringFormatLibrary: Library = declare('format', ['string.(list(dyn)) string', 'string_format', format]);
