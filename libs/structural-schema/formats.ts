/**
 * The string formats that are checked, by name. All others, among them `ip` and whatever nobody knows, take any text
 * (API concept "CustomResourceDefinition: validation formats").
 */
import { parseCidrSloppy } from '../machinery/cidr.ts';
import { parseIpSloppy } from '../machinery/ip.ts';
import { dns1123Label, dns1123Subdomain } from '../machinery/names.ts';
import { parseDuration } from '../machinery/time.ts';

type Check = (text: string) => boolean;

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

const uuid = (version: string, variant: string): Check =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'));

const digitsOf = (text: string): string => text.replace(/[\s-]/g, '');

function isIsbn10(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 10; i++) sum += (10 - i) * (digits[i] === 'X' ? 10 : Number(digits[i]));
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = digitsOf(text);
  if (!/^\d{13}$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += (i % 2 === 0 ? 1 : 3) * Number(digits[i]);
  return sum % 10 === 0;
}

/** By the numbers that issuers give out, and the check digit. */
const cardNumber =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}|6[27]\d{14})$/;

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  if (!cardNumber.test(digits)) return false;
  let sum = 0;
  [...digits].reverse().forEach((digit, i) => {
    const value = Number(digit) * (i % 2 === 0 ? 1 : 2);
    sum += value > 9 ? value - 9 : value;
  });
  return sum % 10 === 0;
}

export function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (!parts) return false;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return month >= 1 && month <= 12 && day >= 1 && day <= (days[month - 1] as number);
}

export function isDateTime(text: string): boolean {
  const [date = '', time = ''] = text.toLowerCase().split('t');
  const parts = /^(\d\d):(\d\d):(\d\d)(.\d+)?(z|[+-]\d\d:\d\d)$/.exec(time);
  if (!parts || !isDate(date)) return false;
  return (parts[1] as string) <= '23' && (parts[2] as string) <= '59' && (parts[3] as string) <= '59';
}

/** Words for units of time, each by all its names; of the last one any word that begins so. */
const units: readonly (readonly string[])[] = [
  ['ns', 'nano'],
  ['us', 'µs', 'micro'],
  ['ms', 'milli'],
  ['s', 'sec'],
  ['m', 'min'],
  ['h', 'hr', 'hour'],
  ['d', 'day'],
  ['w', 'wk', 'week'],
];

const unitNanos: readonly bigint[] = [
  1n,
  1_000n,
  1_000_000n,
  1_000_000_000n,
  60_000_000_000n,
  3_600_000_000_000n,
  86_400_000_000_000n,
  604_800_000_000_000n,
];

/** A duration as Go writes it, or in words: `1h30m`, `3 days`. Nanoseconds; undefined for other text. */
export function parseWordyDuration(text: string): bigint | undefined {
  try {
    return parseDuration(text);
  } catch {
    let sum: bigint | undefined;
    for (const [, number, word] of text.matchAll(/(\d+)\s*([A-Za-zµ]+)/g)) {
      const unit = (word as string).toLowerCase();
      const at = units.findIndex((names) => names.includes(unit) || unit.startsWith(names.at(-1) as string));
      if (at >= 0) sum = (sum ?? 0n) + BigInt(number as string) * (unitNanos[at] as bigint);
    }
    return sum;
  }
}

/** A reference as in the first line of a request: absolute, or an absolute path. */
export function isRequestUri(text: string): boolean {
  if (text === '' || /[\x00-\x20\x7f]/.test(text) || /%(?![0-9a-f]{2})/i.test(text)) return false;
  return text.startsWith('/') || /^[a-z][a-z0-9+.-]*:./i.test(text);
}

function isHostname(text: string): boolean {
  if (text.length > 255 || text === '') return false;
  const labels = text.split('.');
  const letter = '[a-zA-Z0-9\\p{S}\\p{L}]';
  const label = new RegExp(`^${letter}([-a-zA-Z0-9\\p{S}\\p{L}]{0,61}${letter})?$`, 'u');
  return (
    labels.every((one) => label.test(one)) &&
    (labels.length === 1 || /^[a-zA-Z\p{L}]{2,63}$/u.test(labels.at(-1) ?? ''))
  );
}

function isMac(text: string): boolean {
  return /^([0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\2)*[0-9a-f]{2}$/i.test(text)
    ? [17, 23, 59].includes(text.length)
    : /^[0-9a-f]{4}(?:\.[0-9a-f]{4})+$/i.test(text) && [14, 19, 49].includes(text.length);
}

const isIp =
  (mark: string): Check =>
  (text) =>
    text.includes(mark) && parseIpSloppy(text) !== undefined;

const colour = '\\s*([01]?\\d{1,2}|2[0-4]\\d|25[0-5])\\s*';

export const FORMATS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['bsonobjectid', matches(/^[0-9a-f]{24}$/i)],
  ['uri', isRequestUri],
  ['email', matches(/^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+$/)],
  ['hostname', isHostname],
  ['ipv4', isIp('.')],
  ['ipv6', isIp(':')],
  ['cidr', (text) => parseCidrSloppy(text) !== undefined],
  ['mac', isMac],
  ['uuid', uuid('[0-9a-f]', '[0-9a-f]')],
  ['uuid3', uuid('3', '[0-9a-f]')],
  ['uuid4', uuid('4', '[89ab]')],
  ['uuid5', uuid('5', '[89ab]')],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i)],
  ['rgbcolor', matches(new RegExp(`^rgb\\(${colour},${colour},${colour}\\)$`))],
  ['byte', matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/)],
  ['password', () => true],
  ['date', isDate],
  ['duration', (text) => parseWordyDuration(text) !== undefined],
  ['datetime', isDateTime],
  ['date-time', isDateTime],
  ['k8s-short-name', (text) => dns1123Label(text).length === 0],
  ['k8s-long-name', (text) => dns1123Subdomain(text).length === 0],
]);

/** Formats of numbers, which say their range. */
const NUMBER_FORMATS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
});

/** Whether a format means something for values of a type; where no type is stated, for any. */
export function isKnownFormat(format: string, type: string | undefined): boolean {
  const isNumber = (of: string) => (NUMBER_FORMATS[of] as readonly string[]).includes(format);
  if (type === 'string') return FORMATS.has(format);
  if (type === 'integer' || type === 'number') return isNumber(type);
  return type ? false : FORMATS.has(format) || isNumber('integer') || isNumber('number');
}
