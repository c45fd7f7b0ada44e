import { formatTime } from '../../../../libs/base/clock.ts';
import { inOnePiece } from '../../../../libs/base/text.ts';
import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { CronJob, CronJobStatus, Job } from '../../../types/batch/v1.generated.ts';
import type { Due, Schedule } from '../due.ts';
import { isTimeZone } from '../schedule.ts';

export interface Observed {
  readonly cronJob: Live<CronJob>;
  /** Those that it controls. */
  readonly jobs: readonly Live<Job>[];
  /** The uids of active jobs that the server has no more. */
  readonly gone: ReadonlySet<string>;
  /** Its schedule in its time zone, or what is wrong with it. */
  readonly schedule: Schedule;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'event'; readonly event: CronJobEvent }
  | { readonly type: 'delete'; readonly job: string }
  | {
      readonly type: 'start';
      readonly name: string;
      readonly scheduledMs: number;
      /** Jobs that must go first. */
      readonly replaced: readonly string[];
      /** The status to write when the job is there, which it then names. */
      readonly status: CronJobStatus;
    }
  | { readonly type: 'status'; readonly status: CronJobStatus }
);

export type CronJobEvent = readonly [type: 'Normal' | 'Warning', reason: string, message: string];

const MINUTE_MS = 60_000;
/** Jobs begin a little after their time, so that clocks that are a little behind agree. */
const DELTA_MS = 100;
/** More missed starts than this are worth a warning. */
const MISSED_MAX = 100;

/** How a job has ended; undefined while it has not. */
export function endOf({ status }: DeepReadonly<Job>): 'Complete' | 'Failed' | undefined {
  const end = status?.conditions?.find(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  return end?.type as 'Complete' | 'Failed' | undefined;
}

/** A job's name says the minute that it was due. */
export const jobName = ({ metadata }: Live<CronJob>, scheduledMs: number): string =>
  inOnePiece(metadata.name, '-', String(Math.floor(scheduledMs / MINUTE_MS)));

/**
 * Starts a job for the last time that was due and has not been served, as far as deadline and concurrency allow it; first
 * removes what history has too many of, and takes what has ended off the list of the active.
 */
export function plan(observed: Observed, nowMs: number): Plan<Action> {
  const { cronJob } = observed;
  const actions: Action[] = [];
  const tell = (...event: CronJobEvent): void => {
    actions.push({ type: 'event', event, reason: 'tell' });
  };
  const removed = surplusHistory(observed);
  for (const job of removed) {
    actions.push({ type: 'delete', job: job.metadata.name, reason: 'history limit' });
  }
  const status = followJobs(observed, new Set(removed.map(({ metadata }) => metadata.uid)), tell);
  const settle = (againAfterMs?: number): Plan<Action> => {
    if (!sameValue(status, cronJob.status ?? {})) actions.push({ type: 'status', status, reason: 'status' });
    return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
  };
  const { spec } = cronJob;
  if (cronJob.metadata.deletionTimestamp || spec.suspend) return settle();
  if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
    tell(
      'Warning',
      'UnknownTimeZone',
      `invalid timeZone: ${JSON.stringify(spec.timeZone)}: unknown time zone ${spec.timeZone}`,
    );
    return settle();
  }
  const { due, problem } = observed.schedule;
  if (!due) {
    tell('Warning', 'UnparseableSchedule', `unparseable schedule: ${JSON.stringify(spec.schedule)} : ${problem}`);
    return settle();
  }
  const again = (): number | undefined => untilNextMs(cronJob, due, nowMs);
  const missed = lastMissed(cronJob, due, nowMs, true);
  if (missed.timeMs === undefined) return settle(again());
  if (missed.count > MISSED_MAX) {
    const advice = 'Set or decrease .spec.startingDeadlineSeconds or check clock skew';
    tell('Warning', 'TooManyMissedTimes', `too many missed start times. ${advice}`);
  }
  const scheduledMs = missed.timeMs;
  const { startingDeadlineSeconds: deadline, concurrencyPolicy } = spec;
  if (deadline !== undefined && scheduledMs + Number(deadline) * 1000 < nowMs) {
    tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(scheduledMs)}`);
    return settle(again());
  }
  const name = jobName(cronJob, scheduledMs);
  const active = status.active ?? [];
  if (active.some((job) => job.name === name) || epochMs(status.lastScheduleTime) === scheduledMs)
    return settle(again());
  if (concurrencyPolicy === 'Forbid' && active.length > 0) {
    const why = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    tell('Normal', 'JobAlreadyActive', why);
    return settle(again());
  }
  const replaced = concurrencyPolicy === 'Replace' ? active.map((job) => job.name ?? '') : [];
  const { active: _replaced, ...others } = status;
  const next: CronJobStatus = {
    ...(replaced.length > 0 ? others : status),
    lastScheduleTime: formatTime(scheduledMs),
  };
  actions.push({ type: 'start', name, scheduledMs, replaced, status: next, reason: 'due' });
  const againAfterMs = again();
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

/** What of the finished jobs is more than is to be kept: the oldest, of each kind of end. */
function surplusHistory({ cronJob, jobs }: Observed): readonly Live<Job>[] {
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec;
  const startedMs = (job: Live<Job>) => epochMs(job.status?.startTime) ?? Number.POSITIVE_INFINITY;
  const surplus = (end: 'Complete' | 'Failed', limit: number | undefined): readonly Live<Job>[] => {
    if (limit === undefined) return [];
    const ended = jobs.filter((job) => endOf(job) === end);
    if (ended.length <= limit) return [];
    const oldest = ended.sort((a, b) => startedMs(a) - startedMs(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
    return oldest.slice(0, ended.length - limit).filter(({ metadata }) => !metadata.deletionTimestamp);
  };
  return [...surplus('Complete', successfulJobsHistoryLimit), ...surplus('Failed', failedJobsHistoryLimit)];
}

/** The status after what has become of the jobs. */
function followJobs(
  { cronJob, jobs, gone }: Observed,
  removed: ReadonlySet<string>,
  tell: (...event: CronJobEvent) => void,
): CronJobStatus {
  let active = (cronJob.status?.active ?? []).filter(({ uid = '' }) => !removed.has(uid));
  let { lastSuccessfulTime } = cronJob.status ?? {};
  for (const job of jobs) {
    const { name, uid } = job.metadata;
    const end = endOf(job);
    const listed = active.some((one) => one.uid === uid);
    if (!listed && end === undefined) {
      tell('Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`);
    } else if (listed && end !== undefined) {
      active = active.filter((one) => one.uid !== uid);
      tell('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${end}`);
    }
    const endedMs = end === 'Complete' ? epochMs(job.status?.completionTime) : undefined;
    if (endedMs !== undefined && endedMs > (epochMs(lastSuccessfulTime) ?? 0)) lastSuccessfulTime = formatTime(endedMs);
  }
  for (const { uid = '', name = '' } of active) {
    if (gone.has(uid)) tell('Normal', 'MissingJob', `Active job went missing: ${name}`);
  }
  active = active.filter(({ uid = '' }) => !gone.has(uid));
  const { active: _before, lastSuccessfulTime: _then, ...rest } = cronJob.status ?? {};
  return {
    ...rest,
    ...(active.length > 0 ? { active } : {}),
    ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
  } as CronJobStatus;
}

interface Missed {
  /** From here on starts are counted. */
  readonly sinceMs: number;
  /** The latest start that was due; undefined where none was. */
  readonly timeMs?: number;
  /** About how many have been due. */
  readonly count: number;
}

/** What has been due since the last start. A deadline keeps a long silence from counting. */
function lastMissed({ metadata, spec, status }: Live<CronJob>, due: Due, nowMs: number, withDeadline: boolean): Missed {
  let sinceMs = epochMs(status?.lastScheduleTime) ?? epochMs(metadata.creationTimestamp) ?? nowMs;
  if (withDeadline && spec.startingDeadlineSeconds !== undefined) {
    sinceMs = Math.max(sinceMs, nowMs - Number(spec.startingDeadlineSeconds) * 1000);
  }
  const firstMs = due.next(sinceMs);
  if (firstMs === undefined || firstMs > nowMs) return { sinceMs, count: 0 };
  const secondMs = due.next(firstMs);
  if (secondMs === undefined || secondMs > nowMs) return { sinceMs, timeMs: firstMs, count: 1 };
  const stepMs = secondMs - firstMs;
  const count = Math.floor((nowMs - firstMs) / stepMs) + 1;
  // After a long silence it would take long to go through all of them: begin two steps before the present.
  let timeMs: number | undefined;
  let nextMs = due.next(firstMs + (count - 2) * stepMs);
  for (; nextMs !== undefined && nextMs <= nowMs; nextMs = due.next(nextMs)) timeMs = nextMs;
  return timeMs === undefined ? { sinceMs, count } : { sinceMs, timeMs, count };
}

function untilNextMs(cronJob: Live<CronJob>, due: Due, nowMs: number): number | undefined {
  const { timeMs, count, sinceMs } = lastMissed(cronJob, due, nowMs, false);
  const nextMs = due.next(timeMs ?? (count === 0 ? sinceMs : nowMs));
  return nextMs === undefined ? undefined : Math.max(0, nextMs - nowMs) + DELTA_MS;
}

/** `Mon, 02 Jan 2006 15:04:05 +0000`. */
const rfc1123 = (timeMs: number): string => new Date(timeMs).toUTCString().replace('GMT', '+0000');
