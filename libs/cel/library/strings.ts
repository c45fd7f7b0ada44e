/** Strings (the extension library, version 2) and regular expressions. */
import { declare, type Library } from '../declare.ts';
import { EvaluationError, ListValue, type Value } from '../values.ts';
import { patternOf } from './standard.ts';

const chars = (text: string): string[] => [...text];

function within(index: bigint, length: number): number {
  if (index < 0n || index > BigInt(length)) throw new EvaluationError(`index out of range: ${index}`);
  return Number(index);
}

function indexOf(text: string, part: string, from = 0n): bigint {
  const [all, wanted] = [chars(text), chars(part)];
  const start = within(from, all.length);
  for (let i = start; i <= all.length - wanted.length; i++) {
    if (wanted.every((char, j) => char === all[i + j])) return BigInt(i);
  }
  return -1n;
}

function lastIndexOf(text: string, part: string, before?: bigint): bigint {
  const [all, wanted] = [chars(text), chars(part)];
  const start = before === undefined ? all.length : within(before, all.length);
  for (let i = Math.min(start, all.length - wanted.length); i >= 0; i--) {
    if (wanted.every((char, j) => char === all[i + j])) return BigInt(i);
  }
  return -1n;
}

function substring(text: string, from: bigint, to?: bigint): string {
  const all = chars(text);
  const start = within(from, all.length);
  const end = to === undefined ? all.length : within(to, all.length);
  if (start > end) throw new EvaluationError(`invalid substring range. start: ${from}, end: ${to}`);
  return all.slice(start, end).join('');
}

function replace(text: string, from: string, to: string, count = -1n): string {
  if (count < 0n)
    return from === '' ? `${to}${chars(text).join(to)}${text === '' ? '' : to}` : text.replaceAll(from, () => to);
  const pieces = from === '' ? ['', ...chars(text)] : text.split(from);
  let out = pieces[0] as string;
  pieces.slice(1).forEach((piece, i) => (out += (BigInt(i) < count ? to : from) + piece));
  return from === '' && BigInt(pieces.length) <= count ? out + to : out;
}

function split(text: string, separator: string, limit = -1n): ListValue {
  if (limit === 0n) return new ListValue([]);
  if (limit === 1n) return new ListValue([text]);
  const pieces = separator === '' ? chars(text) : text.split(separator);
  if (limit < 0n || BigInt(pieces.length) <= limit) return new ListValue(pieces);
  const kept = pieces.slice(0, Number(limit) - 1);
  return new ListValue([...kept, pieces.slice(Number(limit) - 1).join(separator)]);
}

function join(list: ListValue, separator = ''): string {
  return list.items
    .map((item) => {
      if (typeof item !== 'string') throw new EvaluationError('no such overload');
      return item;
    })
    .join(separator);
}

/** Blanks as Unicode has them. */
const trim = (text: string): string => text.replace(/^[\s\u0085]+|[\s\u0085]+$/gu, '');

const ascii = (text: string, from: RegExp, change: (letter: string) => string): string => text.replace(from, change);

/** One text after the other, as far as `limit` goes; below 0 all. */
function findAll(text: string, pattern: string, limit = -1n): ListValue {
  const matcher = patternOf(pattern).matcher(text);
  const found: Value[] = [];
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return new ListValue(found);
}

function find(text: string, pattern: string): string {
  const matcher = patternOf(pattern).matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

/** A text in quotes, so that it could stand in an expression. */
function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\\': '\\\\',
    '"': '\\"',
  };
  return `"${chars(text.toWellFormed())
    .map((char) => escapes[char] ?? char)
    .join('')}"`;
}

export const stringsLibrary: Library = [
  ...declare('charAt', [
    'string.(int) string',
    'string_char_at_int',
    (text: string, index: bigint) => {
      const all = chars(text);
      return all[within(index, all.length)] ?? '';
    },
  ]),
  ...declare(
    'indexOf',
    ['string.(string) int', 'string_index_of_string', indexOf],
    ['string.(string, int) int', 'string_index_of_string_int', indexOf],
  ),
  ...declare(
    'lastIndexOf',
    ['string.(string) int', 'string_last_index_of_string', lastIndexOf],
    ['string.(string, int) int', 'string_last_index_of_string_int', lastIndexOf],
  ),
  ...declare('lowerAscii', [
    'string.() string',
    'string_lower_ascii',
    (text: string) => ascii(text, /[A-Z]+/g, (letters) => letters.toLowerCase()),
  ]),
  ...declare('upperAscii', [
    'string.() string',
    'string_upper_ascii',
    (text: string) => ascii(text, /[a-z]+/g, (letters) => letters.toUpperCase()),
  ]),
  ...declare(
    'replace',
    ['string.(string, string) string', 'string_replace_string_string', replace],
    ['string.(string, string, int) string', 'string_replace_string_string_int', replace],
  ),
  ...declare(
    'split',
    ['string.(string) list(string)', 'string_split_string', split],
    ['string.(string, int) list(string)', 'string_split_string_int', split],
  ),
  ...declare(
    'substring',
    ['string.(int) string', 'string_substring_int', substring],
    ['string.(int, int) string', 'string_substring_int_int', substring],
  ),
  ...declare('trim', ['string.() string', 'string_trim', trim]),
  ...declare(
    'join',
    ['list(string).() string', 'list_join', join],
    ['list(string).(string) string', 'list_join_string', join],
  ),
  ...declare('strings.quote', ['(string) string', 'strings_quote', quote]),
];

export const regexLibrary: Library = [
  ...declare('find', ['string.(string) string', 'string_find_string', find]),
  ...declare(
    'findAll',
    ['string.(string) list(string)', 'string_find_all_string', findAll],
    ['string.(string, int) list(string)', 'string_find_all_string_int', findAll],
  ),
];
