/**
 * When a schedule is due. A time is due when the clock on the wall of its time zone shows what the schedule says: what
 * the change to summer time leaves out does not come, and what the change back repeats comes twice.
 */
import { durationMs } from '../../../libs/machinery/time.ts';
import { scheduleProblem } from './schedule.ts';

export interface Due {
  /** The first time after `afterMs` (both since 1970) that is due; undefined where none is within five years. */
  next(afterMs: number): number | undefined;
}

/** A schedule as it was read: when it is due, or what is wrong with it. */
export interface Schedule {
  readonly text: string;
  readonly timeZone: string | undefined;
  readonly due?: Due;
  readonly problem?: string;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const YEARS_AHEAD_MS = 5 * 366 * 24 * HOUR_MS;

const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  /** In their order. */
  readonly values: readonly number[];
  /** Says nothing: `*`, and not `*` in steps. */
  readonly any: boolean;
}

interface WallTime {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
}

/** As `parseSchedule`, for who goes on with what is wrong. `timeZone` must be one when it is asked when it is due. */
export function readSchedule(text: string, timeZone: string | undefined): Schedule {
  try {
    return { text, timeZone, due: parseSchedule(text, timeZone) };
  } catch (error) {
    return { text, timeZone, problem: (error as Error).message };
  }
}

/** Reads a schedule of CronJobs. Throws an Error that says what is wrong with it. `timeZone`: IANA's name. */
export function parseSchedule(text: string, timeZone = 'UTC'): Due {
  const problem = scheduleProblem(text);
  if (problem !== undefined) throw new Error(problem);
  const zoned = /^(?:CRON_)?TZ=(\S*)\s+(.*)$/.exec(text);
  const schedule = (zoned?.[2] ?? text).trim();
  const wallTime = wallTimeIn(zoned?.[1] || timeZone);
  if (schedule.startsWith('@every ')) return every(durationMs(schedule.slice('@every '.length)));
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = (NAMED[schedule] ?? schedule).split(/\s+/);
  const fields = {
    minute: parseField(minute, 0, 59),
    hour: parseField(hour, 0, 23),
    day: parseField(day, 1, 31),
    month: parseField(month, 1, 12, MONTHS),
    weekday: parseField(weekday, 0, 6, DAYS),
  };
  // Two fields speak of days: where both say something, either is enough.
  const isDay = (at: WallTime): boolean => {
    const byDay = fields.day.values.includes(at.day);
    const byWeekday = fields.weekday.values.includes(at.weekday);
    return fields.day.any || fields.weekday.any ? byDay && byWeekday : byDay || byWeekday;
  };
  // From the last question up to its answer nothing else is due.
  let askedMs = Number.POSITIVE_INFINITY;
  let answerMs: number | undefined;
  const search = (afterMs: number): number | undefined => {
    let timeMs = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
    for (const endMs = afterMs + YEARS_AHEAD_MS; timeMs <= endMs; ) {
      const at = wallTime(timeMs);
      if (!fields.month.values.includes(at.month) || !isDay(at)) timeMs = nextDay(timeMs, at, wallTime);
      else if (!fields.hour.values.includes(at.hour)) timeMs = nextHour(timeMs, at, fields.hour.values, wallTime);
      else if (fields.minute.values.includes(at.minute)) return timeMs;
      else timeMs += ((fields.minute.values.find((minute) => minute > at.minute) ?? 60) - at.minute) * MINUTE_MS;
    }
    return undefined;
  };
  return {
    next(afterMs) {
      if (answerMs !== undefined && afterMs >= askedMs && afterMs < answerMs) return answerMs;
      [askedMs, answerMs] = [afterMs, search(afterMs)];
      return answerMs;
    },
  };
}

/** Every so often since the last time, in whole seconds. */
function every(intervalMs: number): Due {
  const stepMs = Math.max(SECOND_MS, Math.floor(intervalMs / SECOND_MS) * SECOND_MS);
  return { next: (afterMs) => Math.floor(afterMs / SECOND_MS) * SECOND_MS + stepMs };
}

/** The next of these hours on this day, or the day's end; just the next hour where the clocks change in between. */
function nextHour(
  timeMs: number,
  at: WallTime,
  hours: readonly number[],
  wallTime: (timeMs: number) => WallTime,
): number {
  const hour = hours.find((one) => one > at.hour) ?? 24;
  const thenMs = timeMs + ((hour - at.hour) * 60 - at.minute) * MINUTE_MS;
  const then = wallTime(thenMs);
  return then.hour === hour % 24 && then.minute === 0 ? thenMs : timeMs + (60 - at.minute) * MINUTE_MS;
}

/** The day's first moment, whatever the clocks did in the night. */
function nextDay(timeMs: number, at: WallTime, wallTime: (timeMs: number) => WallTime): number {
  const guessMs = timeMs + (24 * 60 - at.hour * 60 - at.minute) * MINUTE_MS;
  const then = wallTime(guessMs);
  if (then.day === at.day) return guessMs + (24 - then.hour) * HOUR_MS - then.minute * MINUTE_MS;
  const earlierMs = guessMs - (then.hour * 60 + then.minute) * MINUTE_MS;
  return earlierMs < guessMs && wallTime(earlierMs).day === then.day ? earlierMs : guessMs;
}

/** The clock on the wall of a time zone. */
function wallTimeIn(timeZone: string): (timeMs: number) => WallTime {
  if (['UTC', 'Etc/UTC', 'GMT'].includes(timeZone)) return (timeMs) => fieldsOf(new Date(timeMs));
  // Of a given time in a given zone: nothing of this machine comes in.
  const form = {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  } as const;
  return (timeMs) => {
    const shown = new Date(timeMs).toLocaleString('en-US', form);
    const [month = 1, day = 1, year = 1970, hour = 0, minute = 0] = (shown.match(/\d+/g) ?? []).map(Number);
    return fieldsOf(new Date(Date.UTC(year, month - 1, day, hour, minute)));
  };
}

const fieldsOf = (date: Date): WallTime => ({
  month: date.getUTCMonth() + 1,
  day: date.getUTCDate(),
  weekday: date.getUTCDay(),
  hour: date.getUTCHours(),
  minute: date.getUTCMinutes(),
});

/** Reads what `scheduleProblem` has found right. */
function parseField(text: string, least: number, most: number, names: readonly string[] = []): Field {
  const values: number[] = [];
  let any = false;
  const numberOf = (one: string): number => {
    const named = names.indexOf(one.toLowerCase());
    return named >= 0 ? named + least : Number(one);
  };
  const parts = text.split(',').filter((one) => one !== '');
  for (const part of parts) {
    const [range = '', steps] = part.split('/');
    const [first = '', last] = range.split('-');
    const all = first === '*' || first === '?';
    const step = steps === undefined ? 1 : Number(steps);
    const start = all ? least : numberOf(first);
    let end = all ? most : numberOf(last ?? first);
    if (!all && last === undefined && steps !== undefined) end = most;
    if (all && step === 1) any = true;
    for (let value = start; value <= end; value += step) values.push(value);
  }
  return { values: parts.length > 1 ? [...new Set(values)].sort((a, b) => a - b) : values, any };
}

/** A time as RFC 3339 writes it in a time zone: `2026-07-01T08:00:00+02:00`. */
export function formatInZone(timeMs: number, timeZone: string): string {
  const shown = new Date(timeMs).toLocaleString('en-US', { timeZone, timeZoneName: 'longOffset' });
  const offset = /([+-])(\d\d):(\d\d)$/.exec(shown);
  const text = (ms: number): string => new Date(ms).toISOString().slice(0, 19);
  if (!offset || (offset[2] === '00' && offset[3] === '00')) return `${text(timeMs)}Z`;
  const shiftMs = (Number(offset[2]) * 60 + Number(offset[3])) * MINUTE_MS * (offset[1] === '-' ? -1 : 1);
  return `${text(timeMs + shiftMs)}${offset[0]}`;
}
