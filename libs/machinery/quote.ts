/**
 * How values look inside messages: the forms that upstream's `%q`, `%v` and JSON printing give, which clients and
 * tests compare with.
 */

const shortEscapes: Readonly<Record<string, string>> = Object.freeze({
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
});

const plainText = /^[ !#-[\]-~]*$/;
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const hex = (value: number, length: number): string => value.toString(16).padStart(length, '0');

/** A string in double quotes; what cannot be printed as `\n`, `\x07`, `\u200b` or `\U000e0001`. */
export function quote(text: string): string {
  if (plainText.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) {
    const short = shortEscapes[char];
    const code = char.codePointAt(0) as number;
    if (short !== undefined) out += short;
    else if (code >= 0xd800 && code <= 0xdfff) out += '\ufffd';
    else if (printable.test(char)) out += char;
    else if (code < 0x80) out += `\\x${hex(code, 2)}`;
    else out += code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
  }
  return `${out}"`;
}

const unsafeInJson = /[<>&\u2028\u2029]/g;

/** JSON as upstream writes it into messages: no blanks, keys in the order given, `<`, `>` and `&` as `\u003c` …. */
export function json(value: unknown): string {
  return writeJson(value, false).replace(unsafeInJson, (char) => `\\u${hex(char.charCodeAt(0), 4)}`);
}

/** Like `json`, with the keys of all objects sorted: for maps and for objects without a schema. */
export function sortedJson(value: unknown): string {
  return writeJson(value, true).replace(unsafeInJson, (char) => `\\u${hex(char.charCodeAt(0), 4)}`);
}

function writeJson(value: unknown, sorted: boolean): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => writeJson(item, sorted)).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (sorted) entries.sort(byKey);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${writeJson(item, sorted)}`).join(',')}}`;
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => compareBytes(a, b);

/** Orders strings by their UTF-8 bytes, as upstream sorts (JavaScript's `<` differs beyond the basic plane). */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    const leftHigh = left >= 0xd800 && left <= 0xdfff;
    const rightHigh = right >= 0xd800 && right <= 0xdfff;
    if (leftHigh !== rightHigh) return leftHigh ? 1 : -1;
    return left < right ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

/**
 * A floating-point number as messages show it: shortest digits, an exponent below 1e-4 and from 1e21 on where
 * `exponentFrom` is not given otherwise.
 */
export function float(value: number, exponentFrom = 21): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= exponentFrom) {
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const text = String(value);
  return text.includes('e') ? value.toFixed(Math.max(0, digits.length - 2 - exponent)) : text;
}

/**
 * Any JSON value the way strategic merge patch names it: `map[spec:map[replicas:x]]`, `[a b]`, `<nil>`. Keys are
 * sorted, strings bare.
 */
export function bare(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(bare).join(' ')}]`;
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : float(value);
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).sort(byKey);
  return `map[${entries.map(([key, item]) => `${key}:${bare(item)}`).join(' ')}]`;
}

/** The type of a decoded JSON value as messages name it: `string`, `int64`, `map[string]interface {}` …. */
export function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  switch (typeof value) {
    case 'object':
      return 'map[string]interface {}';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    case 'bigint':
      return 'int64';
    default:
      return typeof value === 'boolean' ? 'bool' : 'string';
  }
}

/** The kind of a JSON value as decode errors name it: `object`, `array`, `string`, `number`, `bool`, `null`. */
export function jsonTypeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'bigint' ? 'number' : typeof value;
}
