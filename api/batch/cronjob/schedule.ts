/**
 * Cron schedules as CronJobs take them: five fields, `@hourly` and its like, `@every 90m`. Says what is wrong; when jobs
 * are due is the controller's business.
 */
import { DurationError, parseDuration } from '../../../libs/machinery/time.ts';

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Bounds[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: MONTHS },
  { least: 0, most: 6, names: DAYS },
];
const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
const EVERY = '@every ';

/** What is wrong with a schedule; undefined where nothing is. A time zone in front is told apart. */
export function scheduleProblem(text: string): string | undefined {
  const zone = /^(?:CRON_)?TZ=(\S*)\s*/.exec(text);
  if (zone?.[1] && !isTimeZone(zone[1])) return `provided bad location ${zone[1]}: unknown time zone ${zone[1]}`;
  const schedule = text.slice(zone?.[0].length ?? 0);
  if (schedule === '') return 'empty spec string';
  if (schedule.startsWith('@')) return descriptorProblem(schedule);
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) {
    return `expected exactly ${FIELDS.length} fields, found ${fields.length}: [${fields.join(' ')}]`;
  }
  for (const [i, one] of fields.entries()) {
    const problem = fieldProblem(one, FIELDS[i] as Bounds);
    if (problem) return problem;
  }
  return undefined;
}

/** Whether a time zone may stand in front: `TZ=UTC * * * * *`. */
export const namesTimeZone = (text: string): boolean => text.includes('TZ');

function descriptorProblem(text: string): string | undefined {
  if (DESCRIPTORS.includes(text)) return undefined;
  if (!text.startsWith(EVERY)) return `unrecognized descriptor: ${text}`;
  try {
    parseDuration(text.slice(EVERY.length));
    return undefined;
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
    return `failed to parse duration ${text}: ${error.message}`;
  }
}

function fieldProblem(text: string, bounds: Bounds): string | undefined {
  for (const part of text.split(',').filter((one) => one !== '')) {
    const problem = rangeProblem(part, bounds);
    if (problem) return problem;
  }
  return undefined;
}

function rangeProblem(text: string, { least, most, names }: Bounds): string | undefined {
  const [range = '', ...steps] = text.split('/');
  const ends = range.split('-');
  let [start, end] = [least, most];
  if (ends[0] !== '*' && ends[0] !== '?') {
    const first = numberOf(ends[0] as string, names, least);
    if (typeof first === 'string') return first;
    if (ends.length > 2) return `too many hyphens: ${text}`;
    const last = ends.length === 2 ? numberOf(ends[1] as string, names, least) : first;
    if (typeof last === 'string') return last;
    [start, end] = [first, last];
  }
  if (steps.length > 1) return `too many slashes: ${text}`;
  let step = 1;
  if (steps.length === 1) {
    const given = numberOf(steps[0] as string, undefined, 0);
    if (typeof given === 'string') return given;
    step = given;
    if (ends.length === 1 && ends[0] !== '*') end = most;
  }
  if (start < least) return `beginning of range (${start}) below minimum (${least}): ${text}`;
  if (end > most) return `end of range (${end}) above maximum (${most}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return step === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

function numberOf(text: string, names: readonly string[] | undefined, least: number): number | string {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + least;
  if (!/^[+-]?\d+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  }
  const value = Number(text);
  return value < 0 ? `negative number (${value}) not allowed: ${text}` : value;
}

/** Whether the name is one of the IANA time zones, in just this spelling. */
export function isTimeZone(name: string): boolean {
  if (/^[+-]/.test(name)) return false;
  try {
    new Date(0).toLocaleString('en', { timeZone: name });
  } catch {
    return false;
  }
  // The platform takes any case; files of time zones do not. What is not among its own names is an alias.
  const same = Intl.supportedValuesOf('timeZone').find((one) => one.toLowerCase() === name.toLowerCase());
  return same === undefined ? /^[A-Z]/.test(name) : same === name;
}
