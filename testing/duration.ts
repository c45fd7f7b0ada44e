import { ClusterUsageError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or a text like `90s`, `6m`, `1h30m`, `30d`. */
export type Duration = number | string;

/** In milliseconds. Throws `ClusterUsageError` for what is no duration. */
export function durationMs(duration: Duration): number {
  if (typeof duration === 'number' && Number.isFinite(duration) && duration >= 0) return duration;
  const text = String(duration).trim();
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    throw new ClusterUsageError(`"${text}" is no duration: give milliseconds, or a text like "90s", "6m", "1h30m"`);
  }
  let total = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * (UNITS[unit as string] as number);
  return total;
}

/**
 * How long watches last in a cluster that is one process: no way there dies unseen, and renewing them would be most of what
 * a quiet day costs.
 */
export const WATCH_SECONDS = 30 * 86_400;
/** How often those who watch are told that nothing has happened: before their watch ends. */
export const BOOKMARK_MS = WATCH_SECONDS * 1000;
