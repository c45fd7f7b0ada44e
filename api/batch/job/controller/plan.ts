import { formatTime } from '../../../../libs/base/clock.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Claim } from '../../../core/pod/controller/ownership.ts';
import { isActive, isReady, isTerminating, restarts } from '../../../core/pod/controller/pod-state.ts';
import type { Job, JobCondition, JobStatus } from '../../../types/batch/v1.generated.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { backoffMs } from './backoff.ts';
import { verdictOf } from './failure-policy.ts';
import { formatIndexes, indexOf, parseIndexes } from './indexes.ts';
import { awaitingSuccessor, endsIndex, successorWaitMs } from './per-index.ts';

/** Keeps a pod until its end has been counted. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';

export interface Observed {
  readonly job: Live<Job>;
  readonly pods: Claim<Pod>;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'claim' }
  | { readonly type: 'create'; readonly pods: readonly NewPod[] }
  /** Pods that the Job wants no more do not count as failed: their finalizers go before them. */
  | { readonly type: 'delete'; readonly pods: readonly Live<Pod>[]; readonly counts: boolean }
  /** `ignored`: their failure does not count, whatever they were. */
  | { readonly type: 'release'; readonly pods: readonly Live<Pod>[]; readonly ignored?: true }
  | { readonly type: 'status'; readonly status: JobStatus; readonly events: readonly JobEvent[] }
);

/** A pod to make: of which index, and after which failed one. */
export interface NewPod {
  readonly index?: number;
  readonly after?: Live<Pod> | undefined;
}

export type JobEvent = readonly [type: 'Normal' | 'Warning', reason: string, message: string];
interface End {
  readonly isFailure: boolean;
  readonly reason: string;
  readonly message: string;
}

export const isDone = ({ status }: Live<Job>): boolean =>
  status?.conditions?.some(({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed')) ??
  false;

/**
 * Runs pods until enough have succeeded or too many have failed. What has ended is counted in two steps, so that a crash
 * in between neither loses nor doubles it: first its uid is written down, then its pod's finalizer goes and the count rises.
 */
export function plan({ job, pods }: Observed, nowMs: number): Plan<Action> {
  const { spec, status: before = {}, metadata } = job;
  if (!spec || isDone(job)) return { actions: releaseAll(pods.owned) };
  const now = formatTime(nowMs);
  const actions: Action[] = [];
  const events: JobEvent[] = [];
  if (pods.adopt.length + pods.release.length > 0) actions.push({ type: 'claim', reason: 'adopt and release pods' });
  const isIndexed = spec.completionMode === 'Indexed';
  const completions = spec.completions;
  const onlyFailed = spec.podReplacementPolicy === 'Failed';
  const hasFailed = (pod: Live<Pod>) =>
    pod.status?.phase === 'Failed' ||
    (!onlyFailed && pod.status?.phase !== 'Succeeded' && Boolean(pod.metadata.deletionTimestamp));
  const isTracked = (pod: Live<Pod>) => pod.metadata.finalizers?.includes(TRACKING) ?? false;
  const active = pods.owned.filter(isActive);
  const terminating = pods.owned.filter(isTerminating);

  // What was written down before is counted now; what has ended since is written down.
  const noted = {
    succeeded: before.uncountedTerminatedPods?.succeeded ?? [],
    failed: before.uncountedTerminatedPods?.failed ?? [],
  };
  const counted = new Set([...noted.succeeded, ...noted.failed]);
  const inRange = (pod: Live<Pod>) => !isIndexed || (indexOf(pod) >= 0 && indexOf(pod) < (completions ?? 0));
  const completed = isIndexed ? parseIndexes(before.completedIndexes, completions ?? 0) : new Set<number>();
  if (isIndexed)
    for (const pod of pods.owned) if (pod.status?.phase === 'Succeeded' && inRange(pod)) completed.add(indexOf(pod));
  const uncountedFailed = pods.owned.filter((pod) => isTracked(pod) && hasFailed(pod));
  const failedIndexes = failedIndexesOf(job, uncountedFailed, completed);
  const running = new Set(active.map(indexOf));
  const isOpen = (index: number) => !running.has(index) && !completed.has(index) && !failedIndexes?.has(index);
  const waiting =
    failedIndexes && !before.conditions?.some(isEnding) ? awaitingSuccessor(uncountedFailed, isOpen) : new Map();
  const ended = pods.owned.filter(
    (pod) => isTracked(pod) && !counted.has(pod.metadata.uid) && waiting.get(indexOf(pod)) !== pod,
  );
  const verdicts = new Map(ended.filter(hasFailed).map((pod) => [pod, verdictOf(job, pod)]));
  const newSucceeded = ended.filter((pod) => pod.status?.phase === 'Succeeded');
  const newFailed = [...verdicts.keys()];
  const failedThatCount = newFailed.filter((pod) => verdicts.get(pod)?.action !== 'Ignore');
  let succeeded = (before.succeeded ?? 0) + noted.succeeded.length;
  const failed = (before.failed ?? 0) + noted.failed.length;
  if (isIndexed) succeeded = completed.size;
  const allSucceeded = isIndexed ? completed.size : succeeded + newSucceeded.length;
  const allFailed = failed + failedThatCount.length;
  if (counted.size > 0) {
    const release = pods.owned.filter((pod) => counted.has(pod.metadata.uid) && isTracked(pod));
    if (release.length > 0) actions.push({ type: 'release', pods: release, reason: 'counted' });
  }
  const ignored = newFailed.filter((pod) => verdicts.get(pod)?.action === 'Ignore');
  if (ignored.length > 0) actions.push({ type: 'release', pods: ignored, ignored: true, reason: 'does not count' });

  const suspended = spec.suspend === true;
  let conditions = [...(before.conditions ?? [])] as JobCondition[];
  const has = (type: string) => conditions.find((condition) => condition.type === type && condition.status === 'True');
  const set = (type: string, is: 'True' | 'False', reason: string, message: string) => {
    const condition = { type, status: is, lastProbeTime: now, lastTransitionTime: now, reason, message };
    conditions = [...conditions.filter((other) => other.type !== type), condition];
  };
  let { startTime } = before;
  if (startTime === undefined && !suspended) startTime = now;
  const deadlineMs =
    spec.activeDeadlineSeconds === undefined || !startTime || suspended
      ? undefined
      : (epochMs(startTime) ?? nowMs) + Number(spec.activeDeadlineSeconds) * 1000;

  const end = ((): End | undefined => {
    const target = has('FailureTarget') ?? has('SuccessCriteriaMet');
    if (target)
      return { isFailure: target.type === 'FailureTarget', reason: target.reason ?? '', message: target.message ?? '' };
    const fatal = [...verdicts.values()].find((verdict) => verdict.action === 'FailJob');
    if (fatal) return { isFailure: true, reason: 'PodFailurePolicy', message: fatal.message };
    const limit = spec.backoffLimit ?? 6;
    const restarted =
      spec.template.spec.restartPolicy === 'OnFailure' ? active.reduce((sum, pod) => sum + restarts(pod), 0) : 0;
    if (allFailed > limit || (restarted > 0 && restarted >= limit)) {
      return {
        isFailure: true,
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the specified backoff limit',
      };
    }
    if (deadlineMs !== undefined && nowMs >= deadlineMs) {
      return { isFailure: true, reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
    }
    if (failedIndexes && spec.maxFailedIndexes !== undefined && failedIndexes.size > spec.maxFailedIndexes) {
      return {
        isFailure: true,
        reason: 'MaxFailedIndexesExceeded',
        message: 'Job has exceeded the specified maximal number of failed indexes',
      };
    }
    if (failedIndexes && failedIndexes.size > 0 && failedIndexes.size + completed.size >= (completions ?? 0)) {
      return { isFailure: true, reason: 'FailedIndexes', message: 'Job has failed indexes' };
    }
    const rule = (spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
      const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions ?? 0);
      const met = wanted ? [...wanted].filter((index) => completed.has(index)) : [...completed];
      return met.length >= (succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY);
    });
    if (rule >= 0) return { isFailure: false, reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
    const isEnough =
      completions === undefined
        ? allSucceeded > 0 && active.length === 0
        : allSucceeded >= completions && active.length === 0;
    return isEnough
      ? { isFailure: false, reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
      : undefined;
  })();

  let againAfterMs = deadlineMs === undefined || end ? undefined : Math.max(0, deadlineMs - nowMs);
  let removed: readonly Live<Pod>[] = [];
  let created = 0;
  if (end) {
    const type = end.isFailure ? 'FailureTarget' : 'SuccessCriteriaMet';
    if (!has(type)) set(type, 'True', end.reason, end.message);
    removed = active;
  } else if (suspended) {
    removed = active;
    if (!has('Suspended')) {
      set('Suspended', 'True', 'JobSuspended', 'Job suspended');
      events.push(['Normal', 'Suspended', 'Job suspended']);
    }
    startTime = undefined;
  } else {
    if (has('Suspended')) {
      set('Suspended', 'False', 'JobResumed', 'Job resumed');
      startTime = now;
      events.push(['Normal', 'Resumed', 'Job resumed']);
    }
    const parallelism = spec.parallelism ?? 1;
    const busy = active.length + (onlyFailed ? terminating.length : 0);
    const left =
      completions === undefined
        ? allSucceeded > 0
          ? active.length
          : parallelism
        : completions - allSucceeded - (failedIndexes?.size ?? 0);
    const wanted = Math.max(0, Math.min(parallelism, left));
    if (active.length > wanted) removed = surplus(active, active.length - wanted, completed);
    else if (busy < wanted && !metadata.deletionTimestamp) {
      const taken = new Set([
        ...completed,
        ...(failedIndexes ?? []),
        ...running,
        ...(onlyFailed ? terminating.map(indexOf) : []),
      ]);
      const counting = pods.owned.filter((pod) => hasFailed(pod) && isCounted(pod));
      const waitMs = failedIndexes ? 0 : backoffMs(pods.owned, counting, nowMs);
      const free = isIndexed
        ? firstFree(completions ?? 0, taken, wanted - busy).map((index) => ({ index, after: waiting.get(index) }))
        : Array.from({ length: wanted - busy }, () => ({}));
      // Each index waits for itself, where failures count for each.
      const waitsMs = free.map((one: NewPod) => (one.after ? successorWaitMs(one.after, nowMs) : waitMs));
      const ready = free.filter((_, i) => waitsMs[i] === 0);
      created = ready.length;
      if (created > 0) actions.push({ type: 'create', pods: ready, reason: 'pods are missing' });
      for (const oneMs of waitsMs) if (oneMs > 0) againAfterMs = Math.min(againAfterMs ?? oneMs, oneMs);
    }
  }
  if (removed.length > 0)
    actions.push({
      type: 'delete',
      pods: removed,
      counts: end !== undefined,
      reason: end ? 'the job is at its end' : 'too many pods',
    });
  const uncounted = {
    succeeded: newSucceeded.map(({ metadata: { uid } }) => uid),
    failed: failedThatCount.map(({ metadata: { uid } }) => uid),
  };
  const isAllCounted = uncounted.succeeded.length + uncounted.failed.length === 0;
  const isOver = end && isAllCounted && active.length === 0 && terminating.length === 0;
  if (end && isOver) {
    set(end.isFailure ? 'Failed' : 'Complete', 'True', end.reason, end.message);
    events.push(end.isFailure ? ['Warning', end.reason, end.message] : ['Normal', 'Completed', 'Job completed']);
  }
  const status: JobStatus = {
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(startTime ? { startTime } : {}),
    ...(isOver && !end.isFailure ? { completionTime: now } : {}),
    ...countsOf({ active: active.length - removed.length + created, succeeded, failed }),
    terminating: terminating.length + removed.length,
    ready: active.filter((pod) => isReady(pod) && !removed.includes(pod)).length,
    ...(completed.size > 0 ? { completedIndexes: formatIndexes(completed) } : {}),
    ...(failedIndexes ? { failedIndexes: formatIndexes(failedIndexes) } : {}),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 ? { succeeded: uncounted.succeeded } : {}),
      ...(uncounted.failed.length > 0 ? { failed: uncounted.failed } : {}),
    },
  };
  if (!sameValue(status, before)) actions.push({ type: 'status', status, events, reason: 'status' });
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

const countsOf = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** What was deleted without being counted was not wanted any more, and says nothing about the next. */
const isCounted = ({ metadata }: Live<Pod>): boolean =>
  !metadata.deletionTimestamp || (metadata.finalizers?.includes(TRACKING) ?? false);

function releaseAll(pods: readonly Live<Pod>[]): Action[] {
  const held = pods.filter(({ metadata }) => metadata.finalizers?.includes(TRACKING));
  return held.length > 0 ? [{ type: 'release', pods: held, reason: 'the job is over' }] : [];
}

/** With a limit for each index: those that have failed for good. `failed`: what has not been counted yet. */
function failedIndexesOf(
  job: Live<Job>,
  failed: readonly Live<Pod>[],
  completed: ReadonlySet<number>,
): Set<number> | undefined {
  if (job.spec?.backoffLimitPerIndex === undefined) return undefined;
  const completions = job.spec.completions ?? 0;
  const indexes = parseIndexes(job.status?.failedIndexes, completions);
  for (const pod of failed) {
    const index = indexOf(pod);
    if (index >= 0 && index < completions && !completed.has(index) && endsIndex(job, pod)) indexes.add(index);
  }
  return indexes;
}

const isEnding = ({ type, status }: { readonly type: string; readonly status: string }): boolean =>
  status === 'True' && (type === 'FailureTarget' || type === 'SuccessCriteriaMet');

/** Those not ready first, then the higher indexes. */
function surplus(active: readonly Live<Pod>[], count: number, completed: ReadonlySet<number>): readonly Live<Pod>[] {
  return [...active]
    .sort(
      (a, b) =>
        Number(completed.has(indexOf(b))) - Number(completed.has(indexOf(a))) ||
        Number(isReady(a)) - Number(isReady(b)) ||
        indexOf(b) - indexOf(a),
    )
    .slice(0, count);
}

function firstFree(completions: number, taken: ReadonlySet<number>, count: number): number[] {
  const free: number[] = [];
  for (let index = 0; index < completions && free.length < count; index++) if (!taken.has(index)) free.push(index);
  return free;
}
