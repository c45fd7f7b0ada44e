/** The parts of timestamps and durations. */
import { declare, type Library } from '../declare.ts';
import { type Duration, EvaluationError, type Timestamp } from '../values.ts';

const BILLION = 1_000_000_000n;
const MILLION = 1_000_000n;

/** Wall-clock time in a zone, as a UTC date that reads the same. `zone` is `+02:00` or a name of the time-zone data. */
function inZone({ nanos }: Timestamp, zone = 'UTC'): Date {
  const ms = Number(nanos >= 0n ? nanos / MILLION : -((-nanos + MILLION - 1n) / MILLION));
  const offset = /^([+-])?(\d\d):(\d\d)$/.exec(zone);
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    return new Date(ms + (offset[1] === '-' ? -minutes : minutes) * 60_000);
  }
  if (zone === 'UTC' || zone === '') return new Date(ms);
  let text: string;
  try {
    // The Swedish form is `2026-01-31 13:04:05`.
    text = new Date(ms).toLocaleString('sv-SE', { timeZone: zone });
  } catch {
    throw new EvaluationError(`unknown time zone ${zone}`);
  }
  const [year, month, day, hour, minute, second] = text.split(/\D+/).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(ms);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return date;
}

function part(fn: string, id: string, read: (date: Date) => number): Library {
  const run = (time: Timestamp, zone?: string) => BigInt(read(inZone(time, zone)));
  return declare(
    fn,
    ['timestamp.() int', `timestamp_to_${id}`, run],
    ['timestamp.(string) int', `timestamp_to_${id}_with_tz`, run],
  );
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
}

const length = (fn: string, id: string, read: (nanos: bigint) => bigint): Library =>
  declare(fn, ['duration.() int', `duration_to_${id}`, ({ nanos }: Duration) => read(nanos)]);

export const timeLibrary: Library = [
  ...part('getFullYear', 'year', (date) => date.getUTCFullYear()),
  ...part('getMonth', 'month', (date) => date.getUTCMonth()),
  ...part('getDayOfYear', 'day_of_year', dayOfYear),
  ...part('getDayOfMonth', 'day_of_month', (date) => date.getUTCDate() - 1),
  ...part('getDate', 'day_of_month_1_based', (date) => date.getUTCDate()),
  ...part('getDayOfWeek', 'day_of_week', (date) => date.getUTCDay()),
  ...part('getHours', 'hours', (date) => date.getUTCHours()),
  ...part('getMinutes', 'minutes', (date) => date.getUTCMinutes()),
  ...part('getSeconds', 'seconds', (date) => date.getUTCSeconds()),
  ...part('getMilliseconds', 'milliseconds', (date) => date.getUTCMilliseconds()),
  ...length('getHours', 'hours', (nanos) => nanos / (3600n * BILLION)),
  ...length('getMinutes', 'minutes', (nanos) => nanos / (60n * BILLION)),
  ...length('getSeconds', 'seconds', (nanos) => nanos / BILLION),
  ...length('getMilliseconds', 'milliseconds', (nanos) => (nanos / MILLION) % 1000n),
];
