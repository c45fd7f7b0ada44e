import type { Clock } from '../../libs/base/clock.ts';
import { type Cell, type Distribution, exponentialBuckets, type MetricSet } from '../../libs/metrics/metrics.ts';
import type { CycleTimes } from './cycle/scheduler.ts';
import type { Profile } from './framework/profile.ts';
import type { QueuedPod, QueueOptions, SchedulingQueue } from './queue/scheduling-queue.ts';

const twice = (first: number, count: number) => exponentialBuckets(first, 2, count);
const ATTEMPT_SECONDS = twice(0.001, 15);
const POINT_SECONDS = twice(0.0001, 12);
const SLI_SECONDS = twice(0.01, 20);
const ATTEMPTS = twice(1, 5);
const VICTIMS = twice(1, 7);
/** Pods that needed more are told together. */
const ATTEMPTS_TOLD_MAX = 15;

/** What is looked at when the metrics are told. */
export interface SchedulerParts {
  readonly profiles: readonly Profile[];
  queue(): SchedulingQueue;
  /** Bindings under way. */
  bindings(): number;
}

export interface SchedulerMetrics extends CycleTimes {
  /** A cycle has decided, whatever it was. */
  decided(tookMs: number): void;
  /** An attempt has ended: bound, or given up. `beganMs`: when its cycle began. */
  attempted(queued: QueuedPod, result: 'scheduled' | 'unschedulable' | 'error', beganMs: number): void;
  /** Pods that give way to one that found no place. */
  preempted(victims: number): void;
  readonly came: Required<QueueOptions>['came'];
}

/** Counts attempts and who waits, under upstream's names. */
export function schedulerMetrics(
  metrics: MetricSet,
  clock: Clock,
  { profiles, queue, bindings }: SchedulerParts,
): SchedulerMetrics {
  const by = ['result', 'profile'];
  const attempts = metrics.counter('scheduler_schedule_attempts_total', 'Attempts to find nodes for pods.', by);
  const durations = metrics.histogram(
    'scheduler_scheduling_attempt_duration_seconds',
    'How long attempts took, with the binding.',
    by,
    ATTEMPT_SECONDS,
  );
  const algorithm: Distribution = metrics
    .histogram('scheduler_scheduling_algorithm_duration_seconds', 'How long decisions took.', [], ATTEMPT_SECONDS)
    .at();
  const points = metrics.histogram(
    'scheduler_framework_extension_point_duration_seconds',
    'How long all plugins of an extension point took, for one pod.',
    ['extension_point', 'status', 'profile'],
    POINT_SECONDS,
  );
  const needed: Distribution = metrics
    .histogram('scheduler_pod_scheduling_attempts', 'Attempts that pods needed until they had a node.', [], ATTEMPTS)
    .at();
  const sli = metrics.histogram(
    'scheduler_pod_scheduling_sli_duration_seconds',
    'From the first attempt to the node, by attempts.',
    ['attempts'],
    SLI_SECONDS,
  );
  const incoming = metrics.counter(
    'scheduler_queue_incoming_pods_total',
    'Pods that came to a place where they wait, by what brought them.',
    ['queue', 'event'],
  );
  const preemptions: Cell = metrics
    .counter('scheduler_preemption_attempts_total', 'Pods without a node for which others were looked for to give way.')
    .at();
  const victims: Distribution = metrics
    .histogram('scheduler_preemption_victims', 'Pods that gave way to one other pod.', [], VICTIMS)
    .at();
  metrics.gauge('scheduler_pending_pods', 'Pods that wait for a node, by where they wait.', ['queue'], (set) => {
    for (const [place, count] of Object.entries(queue().counts())) set(count, place);
  });
  metrics.gauge(
    'scheduler_unschedulable_pods',
    'Pods that wait, by the plugins that refused them.',
    ['plugin', 'profile'],
    (set) => {
      for (const [profile, plugins] of queue().refusals()) {
        for (const [plugin, count] of plugins) set(count, plugin, profile);
      }
    },
  );
  metrics.gauge('scheduler_goroutines', 'Work that is under way beside the cycles.', ['operation'], (set) =>
    set(bindings(), 'binding'),
  );
  // No plugin makes a pod wait with a permit: its wait would be told here.
  metrics.histogram(
    'scheduler_permit_wait_duration_seconds',
    'How long pods waited for a permit.',
    ['result'],
    ATTEMPT_SECONDS,
  );
  /** By profile: cycles that filtered nodes, and those that scored them. */
  const cycles = new Map(profiles.map(({ schedulerName }) => [schedulerName, { filtered: 0, scored: 0 }]));
  metrics.counter(
    'scheduler_plugin_evaluation_total',
    'Attempts in which a plugin took part in filtering or scoring; pods of one template share what it said.',
    ['plugin', 'extension_point', 'profile'],
    (set) => {
      for (const profile of profiles) {
        const { schedulerName } = profile;
        const { filtered, scored } = cycles.get(schedulerName) ?? { filtered: 0, scored: 0 };
        for (const { name } of filtered > 0 ? profile.at('preFilter') : []) {
          for (const point of ['PreFilter', 'Filter']) set(filtered, name, point, schedulerName);
        }
        for (const { name } of scored > 0 ? profile.at('preScore') : []) {
          if (profile.weightOf(name) === 0) continue;
          for (const point of ['PreScore', 'Score']) set(scored, name, point, schedulerName);
        }
      }
    },
  );
  // Asked for with every pod: joining labels would cost more than counting.
  const rowOf = nested((profile) => nested((point) => nested((status) => points.at(point, status, profile))));
  const cellOf = nested((place) => nested((reason) => incoming.at(place, reason)));
  return {
    nowMs: () => clock.monotonic(),
    took(profile, point, status, ms) {
      rowOf(profile)(point)(status).observe(ms / 1000);
      if (point === 'PostFilter') preemptions.add(1);
      const counted = cycles.get(profile);
      if (counted && point === 'Filter') counted.filtered++;
      else if (counted && point === 'Score') counted.scored++;
    },
    decided: (tookMs) => algorithm.observe(tookMs / 1000),
    attempted(queued, result, beganMs) {
      const profile = queued.pod.schedulerName;
      const nowMs = clock.monotonic();
      attempts.add(1, result, profile);
      durations.observe((nowMs - beganMs) / 1000, result, profile);
      if (result !== 'scheduled') return;
      const count = queued.attempts + 1;
      needed.observe(count);
      const label = count > ATTEMPTS_TOLD_MAX ? `${ATTEMPTS_TOLD_MAX}+` : String(count);
      sli.observe((nowMs - (queued.triedMs ?? beganMs)) / 1000, label);
    },
    preempted: (count) => victims.observe(count),
    came: (reason, place) => cellOf(place)(reason).add(1),
  };
}

/** Made once for each name. */
function nested<V>(make: (name: string) => V): (name: string) => V {
  const values = new Map<string, V>();
  return (name) => {
    let value = values.get(name);
    if (value === undefined) values.set(name, (value = make(name)));
    return value;
  };
}
