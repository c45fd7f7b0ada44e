/**
 * Kubernetes quantities: exact decimal amounts with a unit (`100m`, `1.5Gi`, `12e6`).
 *
 * A quantity is kept as text in objects; this module turns the text into an exact value (`mantissa × 10^exponent`,
 * never a float) for arithmetic, and into the spelling the API server stores (`canonicalQuantity`).
 *
 *   grammar     sign? digits? ('.' digits?)? unit?            `+1`, `.5`, `5.`, and even `.` and `Ki` (both 0) are legal
 *   binary      Ki Mi Gi Ti Pi Ei       powers of 1024; capped at ±(2^63 − 1)
 *   decimal     n u m (none) k M G T P E
 *   exponent    e3, E-3, e+2            powers of ten, written back as `e…`
 *
 * Values finer than a nano round away from zero to the next nano. A spelling that is already as short as the canonical
 * one is kept as it was written (`+1`, `00012`, `1.234`), because upstream keeps it and clients see it.
 */

export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

/** An exact amount: `mantissa × 10^exponent`, with `exponent ≥ −9`. Treat as immutable. */
export interface Quantity {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly format: QuantityFormat;
  /** The spelling to write back, where the parsed one needs no rewriting. */
  readonly text?: string;
}

const formatWrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const suffixWrong = "unable to parse quantity's suffix";

/** Thrown for text that is no quantity; the message is the one clients see inside `Status.message`. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

interface Unit {
  readonly format: QuantityFormat;
  /** Power of two (BinarySI) or of ten. */
  readonly power: number;
  /** The factor itself, of a power of two. */
  readonly scale?: bigint;
}

const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const;
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;

const units: ReadonlyMap<string, Unit> = new Map<string, Unit>([
  ...decimalSuffixes.map((s, i): [string, Unit] => [s, { format: 'DecimalSI', power: (i - 3) * 3 }]),
  ...binarySuffixes
    .slice(1)
    .map((s, i): [string, Unit] => [s, { format: 'BinarySI', power: (i + 1) * 10, scale: 2n ** BigInt((i + 1) * 10) }]),
]);

const finestExponent = -9;
const largestInt64 = 2n ** 63n - 1n;
/** Beyond this an exponent only serves to make arithmetic on it expensive; such a suffix is refused. */
const exponentMax = 4096;

interface Spelling {
  readonly negative: boolean;
  /** Digits before the point without leading zeros (`0` where none remain), and those after it. */
  readonly whole: string;
  readonly fraction: string;
  readonly unit: Unit;
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const unitLetters = 'eEinumkKMGTP';

function skipDigits(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  return at;
}

function interpretUnit(suffix: string): Unit | undefined {
  const known = units.get(suffix);
  if (known !== undefined) return known;
  if (!/^[eE][+-]?[0-9]+$/.test(suffix)) return undefined;
  const power = Number(suffix.slice(1));
  return power > exponentMax ? undefined : { format: 'DecimalExponent', power };
}

/** Splits text into its parts, or tells what is wrong with it. */
function readSpelling(text: string): Spelling | string {
  if (text === '') return formatWrong;
  let at = text[0] === '-' || text[0] === '+' ? 1 : 0;
  const negative = text[0] === '-';
  while (at < text.length && text.charCodeAt(at) === 48) at++;
  const wholeEnd = skipDigits(text, at);
  const whole = text.slice(at, wholeEnd) || '0';
  at = wholeEnd;
  let fraction = '';
  if (text[at] === '.') {
    const end = skipDigits(text, at + 1);
    fraction = text.slice(at + 1, end);
    at = end;
  }
  let end = at;
  while (end < text.length && unitLetters.includes(text[end] as string)) end++;
  if (end < text.length && (text[end] === '-' || text[end] === '+')) end++;
  if (skipDigits(text, end) < text.length) return formatWrong;
  const unit = interpretUnit(text.slice(at));
  return unit === undefined ? suffixWrong : { negative, whole, fraction, unit };
}

/**
 * Whether the text may be written back unchanged. The rule is upstream's and looks at digits, not at the value: a
 * decimal must have a power that is a multiple of three and no thousand to move into the unit; a binary one must not
 * be a multiple of eight. Long numbers are always rewritten.
 */
function keepsSpelling({ whole, fraction, unit }: Spelling): boolean {
  if (unit.format === 'BinarySI') {
    if (fraction !== '' || 14 - whole.length - Math.floor((unit.power * 3) / 10) < 0) return false;
    return Number(whole) % 8 !== 0;
  }
  const digits = whole + fraction;
  const power = unit.power - fraction.length;
  return (
    digits.length <= 18 && power >= finestExponent && power % 3 === 0 && digits[0] !== '0' && !digits.endsWith('000')
  );
}

/** Divides, rounding away from zero. */
function divideUp(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  if (value % by === 0n) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

const powerOfTen = (exponent: number): bigint => 10n ** BigInt(exponent);

/** Moves to an exponent, rounding away from zero where that loses digits. */
function toExponent(mantissa: bigint, exponent: number, wanted: number): bigint {
  if (exponent >= wanted) return exponent === wanted ? mantissa : mantissa * powerOfTen(exponent - wanted);
  const drop = wanted - exponent;
  // A shift larger than the number has digits leaves one unit; computing the power would only burn time.
  if (drop > mantissa.toString().length) return mantissa === 0n ? 0n : mantissa < 0n ? -1n : 1n;
  return divideUp(mantissa, powerOfTen(drop));
}

function evaluate(spelling: Spelling, text: string): Quantity {
  const { negative, whole, fraction, unit } = spelling;
  const digits = BigInt(whole + fraction);
  let mantissa = negative ? -digits : digits;
  let exponent = -fraction.length;
  let format = unit.format;
  if (format === 'BinarySI') {
    mantissa *= unit.scale ?? 1n;
    const magnitude = negative ? -mantissa : mantissa;
    const one = exponent === 0 ? 1n : powerOfTen(-exponent);
    if (magnitude > largestInt64 * one) {
      mantissa = negative ? -largestInt64 : largestInt64;
      exponent = 0;
    } else if (magnitude < one && magnitude > 0n) {
      format = 'DecimalSI';
    }
  } else {
    exponent += unit.power;
  }
  if (exponent < finestExponent) {
    mantissa = toExponent(mantissa, exponent, finestExponent);
    exponent = finestExponent;
  }
  if (keepsSpelling(spelling)) return { mantissa, exponent, format, text };
  return { mantissa, exponent, format };
}

/**
 * Reads a quantity. Blanks are not skipped (decoders cut them first, see `canonicalQuantity`).
 *
 * @example parseQuantity('1.5Gi')  // { mantissa: 16106127360n, exponent: -1, format: 'BinarySI' }
 */
export function parseQuantity(text: string): Quantity | QuantityError {
  const spelling = readSpelling(text);
  return typeof spelling === 'string' ? new QuantityError(spelling) : evaluate(spelling, text);
}

/** Like `parseQuantity`, for text known to be good: throws `QuantityError` otherwise. */
export function mustParseQuantity(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (quantity instanceof QuantityError) throw quantity;
  return quantity;
}

const blanks =
  /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

/**
 * The spelling that is stored and served for the text of a JSON string, or for a JSON number exactly as it stood in
 * the source (`1e+21`, not a double). Idempotent.
 *
 * @throws QuantityError with the message clients see
 * @example canonicalQuantity('1000')  // '1k'
 */
export function canonicalQuantity(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  const first = text.charCodeAt(0);
  const trimmed = first <= 32 || first > 126 || last <= 32 || last > 126 ? text.replace(blanks, '') : text;
  const spelling = readSpelling(trimmed);
  if (typeof spelling === 'string') throw new QuantityError(spelling);
  if (keepsSpelling(spelling) || isShortest(spelling, trimmed)) return trimmed;
  return formatQuantity(evaluate(spelling, trimmed));
}

/** A plain binary quantity that no larger unit says: `200Mi` is what computing it would give. */
function isShortest({ whole, fraction, unit }: Spelling, text: string): boolean {
  return (
    unit.format === 'BinarySI' &&
    fraction === '' &&
    unit.power > 0 &&
    unit.power <= 30 &&
    whole.length <= 9 &&
    Number(whole) % 1024 !== 0 &&
    text.startsWith(whole)
  );
}

/** Strips factors: the largest `n` with `value = rest × factor^n`. */
function strip(value: bigint, factor: bigint): { rest: bigint; count: number } {
  let rest = value;
  let count = 0;
  while (rest % factor === 0n) {
    rest /= factor;
    count++;
  }
  return { rest, count };
}

/** Writes a quantity: its own spelling where it has one, else the canonical form of its format. */
export function formatQuantity(quantity: Quantity): string {
  if (quantity.text !== undefined) return quantity.text;
  const { mantissa, exponent } = quantity;
  if (mantissa === 0n) return '0';
  if (quantity.format === 'BinarySI') {
    const integral = toExponent(mantissa, exponent, 0);
    const exact = exponent >= 0 || integral * powerOfTen(-exponent) === mantissa;
    if (exact && (integral >= 1024n || integral <= -1024n)) {
      const { rest, count } = strip(integral, 1024n);
      const suffix = binarySuffixes[count];
      if (suffix !== undefined) return `${rest}${suffix}`;
    }
  }
  const { rest, count } = strip(mantissa, 10n);
  const power = exponent + count;
  // Units step by three, so up to two zeros go back into the number.
  const unitPower = Math.floor(power / 3) * 3;
  const digits = `${rest}${'0'.repeat(power - unitPower)}`;
  const suffix = decimalSuffixes[unitPower / 3 + 3];
  if (quantity.format !== 'DecimalExponent' && suffix !== undefined) return `${digits}${suffix}`;
  return unitPower === 0 ? digits : `${digits}e${unitPower}`;
}

function combine(a: Quantity, b: Quantity, sign: 1n | -1n): Quantity {
  const exponent = Math.min(a.exponent, b.exponent);
  const mantissa = toExponent(a.mantissa, a.exponent, exponent) + sign * toExponent(b.mantissa, b.exponent, exponent);
  // A zero has no unit of its own to insist on.
  return { mantissa, exponent, format: a.mantissa === 0n ? b.format : a.format };
}

/** The exact sum, in the format of `a` (of `b` where `a` is zero). */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  return combine(a, b, 1n);
}

/** The exact difference `a − b`, in the format of `a` (of `b` where `a` is zero). */
export function subtractQuantity(a: Quantity, b: Quantity): Quantity {
  return combine(a, b, -1n);
}

/** `−a`. */
export function negateQuantity(a: Quantity): Quantity {
  return { mantissa: -a.mantissa, exponent: a.exponent, format: a.format };
}

/** −1, 0 or 1 as `a` is smaller than, equal to or larger than `b`. Spelling and format do not matter. */
export function compareQuantity(a: Quantity, b: Quantity): -1 | 0 | 1 {
  const exponent = Math.min(a.exponent, b.exponent);
  const left = toExponent(a.mantissa, a.exponent, exponent);
  const right = toExponent(b.mantissa, b.exponent, exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** −1, 0 or 1: the sign. */
export function signOfQuantity(a: Quantity): -1 | 0 | 1 {
  return a.mantissa < 0n ? -1 : a.mantissa > 0n ? 1 : 0;
}

/** Whether two texts mean the same amount (`1Gi`, `1024Mi`). Text that is no quantity equals only itself. */
export function sameQuantity(a: string, b: string): boolean {
  if (a === b) return true;
  const left = parseQuantity(a);
  const right = parseQuantity(b);
  if (left instanceof QuantityError || right instanceof QuantityError) return false;
  return compareQuantity(left, right) === 0;
}

/** `value × 10^exponent`: `quantityOf(500n, -3)` is `500m`. */
export function quantityOf(value: bigint | number, exponent = 0, format: QuantityFormat = 'DecimalSI'): Quantity {
  const mantissa = BigInt(value);
  if (exponent >= finestExponent) return { mantissa, exponent, format };
  return { mantissa: toExponent(mantissa, exponent, finestExponent), exponent: finestExponent, format };
}

/**
 * The amount in units of `10^exponent`, rounded away from zero, held within int64.
 *
 * @example scaledQuantity(mustParseQuantity('1500m'), 0)  // 2n
 */
export function scaledQuantity(a: Quantity, exponent: number): bigint {
  const value = toExponent(a.mantissa, a.exponent, exponent);
  return value > largestInt64 ? largestInt64 : value < -largestInt64 - 1n ? -largestInt64 - 1n : value;
}

/** The amount in thousandths (millicores), rounded away from zero. Exact up to 2^53. */
export function toMilli(a: Quantity): number {
  return Number(scaledQuantity(a, -3));
}

/** The amount in whole units (bytes, pods), rounded away from zero. Exact up to 2^53. */
export function toCeil(a: Quantity): number {
  return Number(scaledQuantity(a, 0));
}

/** The nearest double, for ratios and metrics. */
export function toNumber(a: Quantity): number {
  return Number(`${a.mantissa}e${a.exponent}`);
}

/** Whether the amount is a whole multiple of `10^exponent` (`1500m` is none of 10^0). */
export function isMultipleOf(a: Quantity, exponent: number): boolean {
  return (
    a.exponent >= exponent ||
    toExponent(toExponent(a.mantissa, a.exponent, exponent), exponent, a.exponent) === a.mantissa
  );
}

/**
 * Rounds away from zero to a multiple of `10^exponent`, and answers the spelling to store. Resource lists of the core
 * group are rounded to thousandths this way when they are defaulted: `1u` is stored as `1m`.
 *
 * @throws QuantityError
 */
export function roundUpQuantity(text: string, exponent = -3): string {
  const quantity = mustParseQuantity(text);
  if (isMultipleOf(quantity, exponent)) return formatQuantity(quantity);
  return formatQuantity({ mantissa: scaledQuantity(quantity, exponent), exponent, format: quantity.format });
}
