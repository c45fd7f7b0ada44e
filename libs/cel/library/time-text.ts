/** Timestamps and durations as texts, within the bounds that CEL sets. */
import { parseDuration } from '../../machinery/time.ts';
import { Duration, EvaluationError, Timestamp } from '../values.ts';

export const DURATION_MAX = 2n ** 63n - 1n;
/** Years 1 to 9999. */
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;
const BILLION = 1_000_000_000n;

export function timestampOf(nanos: bigint): Timestamp {
  if (nanos < SECONDS_MIN * BILLION || nanos > SECONDS_MAX * BILLION + 999_999_999n) {
    throw new EvaluationError('timestamp overflow');
  }
  return new Timestamp(nanos);
}

/** RFC 3339; undefined for other text. */
export function parseTimestampText(text: string): Timestamp | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):(\d\d))$/.exec(
    text,
  );
  if (!parts) return undefined;
  const [year, month, day, hours, minutes, seconds] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  const offset = parts[8] ? 0 : (parts[9] === '-' ? -1 : 1) * (Number(parts[10]) * 60 + Number(parts[11]));
  const whole = BigInt(date.getTime()) / 1000n + BigInt(hours * 3600 + (minutes - offset) * 60 + seconds);
  return new Timestamp(whole * BILLION + BigInt((parts[7] ?? '').padEnd(9, '0')));
}

/** As Go writes durations: `1h30m`; undefined for other text. */
export function parseDurationText(text: string): Duration | undefined {
  try {
    return new Duration(parseDuration(text));
  } catch {
    return undefined;
  }
}
