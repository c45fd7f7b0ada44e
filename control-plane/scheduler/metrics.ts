import type { Distribution, MetricSet } from '../../libs/metrics/metrics.ts';
import type { QueuedPod, SchedulingQueue } from './queue/scheduling-queue.ts';

const ATTEMPT_SECONDS = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const ATTEMPTS = [1, 2, 4, 8, 16];
const VICTIMS = [1, 2, 4, 8, 16, 32, 64];

const NAMES = ['schedule_attempts_total', 'scheduling_attempt_duration_seconds', 'pod_scheduling_attempts']
  .concat('preemption_victims', 'pending_pods', 'unschedulable_pods')
  .map((name) => `scheduler_${name}`);

export interface SchedulerMetrics {
  /** An attempt has ended: bound, or given up. From the beginning of its cycle. */
  attempted(queued: QueuedPod, result: 'scheduled' | 'unschedulable' | 'error', tookMs: number): void;
  /** Pods that give way to one that found no place. */
  preempted(victims: number): void;
}

/** Counts attempts and who waits, under upstream's names. Called again for the same set, it counts from nothing. */
export function schedulerMetrics(metrics: MetricSet, queue: SchedulingQueue): SchedulerMetrics {
  metrics.remove(...NAMES);
  const by = ['result', 'profile'];
  const attempts = metrics.counter('scheduler_schedule_attempts_total', 'Attempts to find nodes for pods.', by);
  const durations = metrics.histogram(
    'scheduler_scheduling_attempt_duration_seconds',
    'How long attempts took, with the binding.',
    by,
    ATTEMPT_SECONDS,
  );
  const needed: Distribution = metrics
    .histogram('scheduler_pod_scheduling_attempts', 'Attempts that pods needed until they had a node.', [], ATTEMPTS)
    .at();
  const victims = metrics
    .histogram('scheduler_preemption_victims', 'Pods that gave way to one other pod.', [], VICTIMS)
    .at();
  metrics.gauge('scheduler_pending_pods', 'Pods that wait for a node, by where they wait.', ['queue'], (set) => {
    for (const [place, count] of Object.entries(queue.counts())) set(count, place);
  });
  metrics.gauge(
    'scheduler_unschedulable_pods',
    'Pods that wait, by the plugins that refused them.',
    ['plugin', 'profile'],
    (set) => {
      for (const [profile, plugins] of queue.refusals()) {
        for (const [plugin, count] of plugins) set(count, plugin, profile);
      }
    },
  );
  return {
    attempted(queued, result, tookMs) {
      const profile = queued.pod.schedulerName;
      attempts.add(1, result, profile);
      durations.observe(tookMs / 1000, result, profile);
      if (result === 'scheduled') needed.observe(queued.attempts + 1);
    },
    preempted: (count) => victims.observe(count),
  };
}
