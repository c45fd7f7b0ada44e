import type { Live } from '../../../../libs/kind/object.ts';
import type { ControllerEnvironment, Turn, TurnObserver } from '../../../../libs/kind/reconciler.ts';
import { exponentialBuckets, type MetricSet } from '../../../../libs/metrics/metrics.ts';
import { pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { verdictOf } from './failure-policy.ts';
import { type Action, isDone, type Observed, TRACKING } from './plan.ts';

const SYNC_SECONDS = exponentialBuckets(0.004, 2, 15);

type JobTurn = Turn<Observed, Action>;
type StatusAction = Extract<Action, { type: 'status' }>;

/** Counts what becomes of Jobs and of their pods, under upstream's names (`job_controller_…`). */
export function jobCounting(
  metrics: MetricSet,
  { informers }: Pick<ControllerEnvironment, 'informers'>,
): TurnObserver<Observed, Action> {
  const name = (what: string) => `job_controller_${what}`;
  const of = ['completion_mode', 'result', 'action'];
  const syncs = metrics.counter(name('job_syncs_total'), 'Looks at Jobs, by what they led to.', of);
  const durations = metrics.histogram(
    name('job_sync_duration_seconds'),
    'How long looks at Jobs took, with what they led to.',
    of,
    SYNC_SECONDS,
  );
  const jobsFinished = metrics.counter(name('jobs_finished_total'), 'Jobs that came to their end, by how.', [
    'completion_mode',
    'result',
    'reason',
  ]);
  const podsFinished = metrics.counter(name('job_pods_finished_total'), 'Pods of Jobs whose end has been counted.', [
    'completion_mode',
    'result',
  ]);
  const handled = metrics.counter(
    name('pod_failures_handled_by_failure_policy_total'),
    'Failed pods that a rule of the failure policy was for, by what the rule says.',
    ['action'],
  );
  const tracked = metrics.counter(
    name('terminated_pods_tracking_finalizer_total'),
    'Pods that ended while their end had still to be counted (add), and that then were let go (delete).',
    ['event'],
  );
  const [added, deleted] = [tracked.at('add'), tracked.at('delete')];
  const subscription = informers.informer(pods).on((object, previous) => {
    const [is, was] = [waitsToBeCounted(object), waitsToBeCounted(previous)];
    if (is !== was) (is ? added : deleted).add(1);
  });
  return {
    turned(turn) {
      const { observed, done, failed, tookMs } = turn;
      if (!observed || isDone(observed.job)) return;
      const { job } = observed;
      const mode = job.spec?.completionMode ?? 'NonIndexed';
      const labels = [mode, failed ? 'error' : 'success', actionOf(turn)];
      syncs.add(1, ...labels);
      durations.observe(tookMs / 1000, ...labels);
      const written = done.find((action): action is StatusAction => action.type === 'status');
      if (!written) return;
      const { status: before = {} } = job;
      const { status } = written;
      const more = (what: 'succeeded' | 'failed') => Math.max(0, (status[what] ?? 0) - (before[what] ?? 0));
      for (const result of ['succeeded', 'failed'] as const) podsFinished.add(more(result), mode, result);
      const end = status.conditions?.find(({ type, status: is }) => is === 'True' && ENDS.has(type));
      if (end) jobsFinished.add(1, mode, end.type === 'Complete' ? 'succeeded' : 'failed', end.reason ?? '');
      for (const pod of newlyFailed(turn, observed, written)) {
        const { action, message } = verdictOf(job, pod);
        if (message !== '') handled.add(1, action);
      }
    },
    stopped: () => subscription[Symbol.dispose](),
  };
}

const ENDS: ReadonlySet<string> = new Set(['Complete', 'Failed']);

const waitsToBeCounted = (pod: Live<Pod> | undefined): boolean =>
  (pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed') &&
  (pod.metadata.finalizers?.includes(TRACKING) ?? false);

/** Pods that go because the Job has ended say nothing of how many it wants. */
function actionOf({ observed, done, plan }: JobTurn): string {
  if (done.some(({ type }) => type === 'create')) return 'pods_created';
  const removed = done.find(({ type }) => type === 'delete') as Extract<Action, { type: 'delete' }> | undefined;
  if (removed && !removed.counts) return 'pods_deleted';
  const status = plan.actions.find(({ type }) => type === 'status') as StatusAction | undefined;
  const conditions = status?.status.conditions ?? observed?.job.status?.conditions ?? [];
  const isEnding = conditions.some(({ type, status: is }) => is === 'True' && ENDING.has(type));
  return isEnding || observed?.job.metadata.deletionTimestamp ? 'reconciling' : 'tracking';
}

const ENDING: ReadonlySet<string> = new Set(['FailureTarget', 'SuccessCriteriaMet']);

/** Failed pods that were written down in this turn, and those that were let go as they do not count. */
function newlyFailed({ done }: JobTurn, { job, pods: { owned } }: Observed, written: StatusAction): Live<Pod>[] {
  const known = new Set(job.status?.uncountedTerminatedPods?.failed ?? []);
  const uids = new Set(written.status.uncountedTerminatedPods?.failed?.filter((uid) => !known.has(uid)));
  const ignored = done.flatMap((action) => (action.type === 'release' && action.ignored ? action.pods : []));
  return [...owned.filter(({ metadata }) => uids.has(metadata.uid)), ...ignored];
}
