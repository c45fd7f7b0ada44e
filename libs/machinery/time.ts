/**
 * Times and durations as the API spells them.
 *
 *   Time        `2026-01-02T15:04:05Z`          whole seconds; a fraction in the input is dropped
 *   MicroTime   `2026-01-02T15:04:05.000000Z`   exactly six decimals, in the input too
 *   duration    `1h30m`, `-1.5s`, `300ms`       nanoseconds in an int64
 *
 * Input may carry any zone offset; output is UTC. The first instant of year 1 is "no time" and is written as null.
 */

/** Thrown for text that is no time; the message is the one clients see. */
export class TimeError extends Error {
  override readonly name = 'TimeError';
}

/** Thrown for text that is no duration; the message is the one clients see. */
export class DurationError extends Error {
  override readonly name = 'DurationError';
}

/** An instant: whole seconds since 1970 (may be negative) and nanoseconds within the second. */
export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

const secondsLayout = '2006-01-02T15:04:05Z07:00';
const microLayout = '2006-01-02T15:04:05.000000Z07:00';
/** 0001-01-01T00:00:00Z */
const zeroSeconds = -62135596800;

const encoder = new TextEncoder();

/** Quotes for time errors: bytes outside printable ASCII as \xNN. */
function quote(text: string): string {
  let out = '"';
  for (const byte of encoder.encode(text)) {
    if (byte === 34 || byte === 92) out += `\\${String.fromCharCode(byte)}`;
    else if (byte < 32 || byte >= 128) out += `\\x${byte.toString(16).padStart(2, '0')}`;
    else out += String.fromCharCode(byte);
  }
  return `${out}"`;
}

const isDigit = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
};

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const daysIn = (month: number, year: number): number =>
  month === 2 && isLeap(year) ? 29 : (monthDays[month - 1] as number);

/** Reads one time from left to right; each step either moves `at` on or throws what the reader should know. */
class TimeReader {
  readonly #text: string;
  readonly #layout: string;
  #at = 0;

  constructor(text: string, layout: string) {
    this.#text = text;
    this.#layout = layout;
  }

  #refuse(element: string): never {
    const rest = quote(this.#text.slice(this.#at));
    throw new TimeError(
      `parsing time ${quote(this.#text)} as ${quote(this.#layout)}: cannot parse ${rest} as ${quote(element)}`,
    );
  }

  outOfRange(what: string): never {
    throw new TimeError(`parsing time ${quote(this.#text)}: ${what} out of range`);
  }

  year(): number {
    for (let i = 0; i < 4; i++) if (!isDigit(this.#text, this.#at + i)) this.#refuse('2006');
    return Number(this.#text.slice(0, (this.#at = 4)));
  }

  literal(char: string): void {
    if (this.#text[this.#at] !== char) this.#refuse(char);
    this.#at++;
  }

  /** Two digits; one is enough where `short` allows it. */
  number(element: string, short = false): number {
    if (!isDigit(this.#text, this.#at)) this.#refuse(element);
    const length = isDigit(this.#text, this.#at + 1) ? 2 : 1;
    if (length === 1 && !short) this.#refuse(element);
    const value = Number(this.#text.slice(this.#at, this.#at + length));
    this.#at += length;
    return value;
  }

  ranged(element: string, what: string, least: number, most: number, short = false): number {
    const value = this.number(element, short);
    if (value < least || value > most) this.outOfRange(what);
    return value;
  }

  /** `.` or `,` with digits; answers nanoseconds. */
  fraction(exactly?: number): number {
    const mark = this.#text[this.#at];
    const marked = mark === '.' || mark === ',';
    let end = this.#at + 1;
    while (marked && isDigit(this.#text, end) && (exactly === undefined || end - this.#at <= exactly)) end++;
    const digits = marked ? this.#text.slice(this.#at + 1, end) : '';
    if (exactly !== undefined && digits.length !== exactly) this.#refuse(`.${'0'.repeat(exactly)}`);
    if (digits === '') return 0;
    this.#at = end;
    return Number(digits.slice(0, 9).padEnd(9, '0'));
  }

  /** Seconds to subtract to come to UTC. */
  zone(): number {
    const sign = this.#text[this.#at];
    if (sign === 'Z') {
      this.#at++;
      return 0;
    }
    const parts = /^([+-])(\d\d):(\d\d)/.exec(this.#text.slice(this.#at, this.#at + 6));
    if (parts === null) this.#refuse('Z07:00');
    const hours = Number(parts[2]);
    const minutes = Number(parts[3]);
    if (hours > 24) this.outOfRange('time zone offset hour');
    if (minutes > 60) this.outOfRange('time zone offset minute');
    this.#at += 6;
    return (sign === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  }

  end(): void {
    const rest = this.#text.slice(this.#at);
    if (rest !== '') throw new TimeError(`parsing time ${quote(this.#text)}: extra text: ${quote(rest)}`);
  }
}

function readTime(text: string, micro: boolean): Instant {
  const reader = new TimeReader(text, micro ? microLayout : secondsLayout);
  const year = reader.year();
  reader.literal('-');
  const month = reader.ranged('01', 'month', 1, 12);
  reader.literal('-');
  const day = reader.number('02');
  reader.literal('T');
  const hour = reader.ranged('15', 'hour', 0, 23, true);
  reader.literal(':');
  const minute = reader.ranged('04', 'minute', 0, 59);
  reader.literal(':');
  const second = reader.ranged('05', 'second', 0, 59);
  const nanos = reader.fraction(micro ? 6 : undefined);
  const offset = reader.zone();
  reader.end();
  if (day < 1 || day > daysIn(month, year)) reader.outOfRange('day');
  // Date.UTC takes years below 100 for 19xx, so the year is set on its own.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return { seconds: date.getTime() / 1000 - offset, nanos };
}

/** Reads a Time. @throws TimeError */
export function parseTime(text: string): Instant {
  return readTime(text, false);
}

/** Reads a MicroTime: like a Time, with exactly six decimals. @throws TimeError */
export function parseMicroTime(text: string): Instant {
  return readTime(text, true);
}

const pad = (value: number, length = 2): string => String(value).padStart(length, '0');

function formatSeconds(seconds: number): string {
  const date = new Date(seconds * 1000);
  const day = `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
  return `${day}T${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
}

/** Milliseconds since 1970 (a `Clock`'s) as a Time; the fraction is dropped. */
export { formatTime } from '../base/clock.ts';

/** Milliseconds since 1970, with a fraction where the clock has one, as a MicroTime. */
export function formatMicroTime(epochMs: number): string {
  const seconds = Math.floor(epochMs / 1000);
  return `${formatSeconds(seconds)}.${pad(Math.floor((epochMs - seconds * 1000) * 1000), 6)}Z`;
}

/** A Time's or MicroTime's instant in milliseconds since 1970; undefined for an absent or unreadable one. */
export function epochMs(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Days that their months have in every year, then times of day: what is written so in UTC is stored as it is. */
const PLAIN =
  '(?!00)\\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)' +
  'T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d';
const plainTime = new RegExp(`^${PLAIN}Z$`);
const plainMicroTime = new RegExp(`^${PLAIN}\\.\\d{6}Z$`);

/**
 * The spelling that is stored for a Time: UTC, whole seconds; null for year 1's first instant.
 *
 * @throws TimeError
 * @example canonicalTime('2026-01-02T15:04:05.9+02:00')  // '2026-01-02T13:04:05Z'
 */
export function canonicalTime(text: string): string | null {
  if (plainTime.test(text)) return text;
  const { seconds, nanos } = readTime(text, false);
  if (seconds === zeroSeconds && nanos === 0) return null;
  return `${formatSeconds(seconds)}Z`;
}

/** The spelling that is stored for a MicroTime. @throws TimeError */
export function canonicalMicroTime(text: string): string | null {
  if (plainMicroTime.test(text)) return text;
  const { seconds, nanos } = readTime(text, true);
  if (seconds === zeroSeconds && nanos === 0) return null;
  return `${formatSeconds(seconds)}.${pad(nanos / 1000, 6)}Z`;
}

// ── durations ──────────────────────────────────────────────────────────────────────────────────────────────────────

const unitNanos: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

const int64Bound = 2n ** 63n;

/**
 * Reads a duration, in nanoseconds.
 *
 * @throws DurationError
 * @example parseDuration('1h30m')  // 5400000000000n
 */
export function parseDuration(text: string): bigint {
  const invalid = (): DurationError => new DurationError(`time: invalid duration ${quote(text)}`);
  const negative = text[0] === '-';
  let rest = negative || text[0] === '+' ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '') throw invalid();
  let total = 0n;
  while (rest !== '') {
    const [number, whole, fraction] = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest) as unknown as [string, string, string?];
    if (whole === '' && (fraction === undefined || fraction === '')) throw invalid();
    if (BigInt(whole) > int64Bound) throw invalid();
    rest = rest.slice(number.length);
    const [unit] = /^[^0-9.]*/.exec(rest) as unknown as [string];
    if (unit === '') throw new DurationError(`time: missing unit in duration ${quote(text)}`);
    const nanos = unitNanos.get(unit);
    if (nanos === undefined) throw new DurationError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    // Eighteen digits are finer than any unit can show.
    const decimals = (fraction ?? '').slice(0, 18);
    total += BigInt(whole) * nanos + (BigInt(decimals || '0') * nanos) / 10n ** BigInt(decimals.length);
    if (total > int64Bound) throw invalid();
    rest = rest.slice(unit.length);
  }
  if (negative) return -total;
  if (total === int64Bound) throw invalid();
  return total;
}

/** A duration in milliseconds (with a fraction below one). @throws DurationError */
export function durationMs(text: string): number {
  return Number(parseDuration(text)) / 1e6;
}

/** Writes `value / unit` without trailing zeros: 1500 / 1000 → `1.5`. */
function decimal(value: bigint, unit: bigint): string {
  const rest = value % unit;
  if (rest === 0n) return String(value / unit);
  const digits = String(rest).padStart(String(unit).length - 1, '0');
  return `${value / unit}.${digits.replace(/0+$/, '')}`;
}

/**
 * Writes nanoseconds as a duration: the largest unit is hours; below a second one unit is used.
 *
 * @example formatDuration(5400000000000n)  // '1h30m0s'
 */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  if (nanos < 0n) return `-${formatDuration(-nanos)}`;
  if (nanos < 1_000n) return `${nanos}ns`;
  if (nanos < 1_000_000n) return `${decimal(nanos, 1_000n)}µs`;
  if (nanos < 1_000_000_000n) return `${decimal(nanos, 1_000_000n)}ms`;
  const minutes = nanos / 60_000_000_000n;
  const seconds = `${decimal(nanos % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** The spelling that is stored for a duration. @throws DurationError */
export function canonicalDuration(text: string): string {
  return formatDuration(parseDuration(text));
}
