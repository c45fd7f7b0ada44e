/** Ages and durations as the cells of tables show them. `now` is always an argument. */
import { epochMs } from '../time.ts';

const secondMs = 1000;
const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

/** `3h` and `3h20m`: the second unit only where it is not zero. */
function two(seconds: number, unit: number, letter: string, smaller: number, smallerLetter: string): string {
  const rest = Math.floor((seconds % unit) / smaller);
  const whole = `${Math.floor(seconds / unit)}${letter}`;
  return rest === 0 ? whole : `${whole}${rest}${smallerLetter}`;
}

/**
 * A duration with at most two units and no more precision than one cares for at that size. Clocks that differ by a
 * second show as `0s`, by more as `<invalid>`.
 *
 * @example humanDuration(95_000)  // '95s'
 * @example humanDuration(3 * 3600_000 + 20 * 60_000)  // '3h20m'
 */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / secondMs);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * minute) return `${seconds}s`;
  if (seconds < 10 * minute) return two(seconds, minute, 'm', 1, 's');
  if (seconds < 3 * hour) return `${Math.floor(seconds / minute)}m`;
  if (seconds < 8 * hour) return two(seconds, hour, 'h', minute, 'm');
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)}h`;
  if (seconds < 8 * day) return two(seconds, day, 'd', hour, 'h');
  if (seconds < 2 * year) return `${Math.floor(seconds / day)}d`;
  if (seconds < 8 * year) return two(seconds, year, 'y', day, 'd');
  return `${Math.floor(seconds / year)}y`;
}

/** A duration in its largest unit alone: `5m`, `3h`. */
export function shortHumanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / secondMs);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < minute) return `${seconds}s`;
  if (seconds < hour) return `${Math.floor(seconds / minute)}m`;
  if (seconds < day) return `${Math.floor(seconds / hour)}h`;
  return seconds < year ? `${Math.floor(seconds / day)}d` : `${Math.floor(seconds / year)}y`;
}

/** How long ago a time of an object was: the AGE column. `<unknown>` without one. */
export function ageOf(time: string | null | undefined, nowMs: number): string {
  const then = epochMs(time);
  return then === undefined ? '<unknown>' : humanDuration(nowMs - then);
}

/** How long until a time of an object. `<unknown>` without one. */
export function untilOf(time: string | null | undefined, nowMs: number): string {
  const then = epochMs(time);
  return then === undefined ? '<unknown>' : humanDuration(then - nowMs);
}
