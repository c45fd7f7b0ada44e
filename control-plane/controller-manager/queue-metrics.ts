import type { Clock } from '../../libs/base/clock.ts';
import type { QueueObserver } from '../../libs/kind/reconciler.ts';
import { exponentialBuckets, type MetricSet } from '../../libs/metrics/metrics.ts';

const SECONDS = exponentialBuckets(1e-8, 10, 10);

/** Counts what work queues do, under upstream's names (`workqueue_…`), all queues of a manager together. */
export function queueMetrics(metrics: MetricSet, clock: Clock): (name: string) => QueueObserver {
  const name = ['name'];
  const adds = metrics.counter('workqueue_adds_total', 'Keys that were added.', name);
  const depths = metrics.gauge('workqueue_depth', 'Keys that wait.', name);
  const retries = metrics.counter('workqueue_retries_total', 'Keys that come again after a failure.', name);
  const waits = metrics.histogram('workqueue_queue_duration_seconds', 'How long keys waited.', name, SECONDS);
  const works = metrics.histogram('workqueue_work_duration_seconds', 'How long keys were worked on.', name, SECONDS);
  /** Since when keys are worked on, by queue. */
  const working = new Map<string, Map<string, number>>();
  const tell = (of: string, help: string, sum: (secondsOfEach: readonly number[]) => number) =>
    metrics.gauge(of, help, name, (set) => {
      const nowMs = clock.monotonic();
      for (const [queue, begun] of working) set(sum([...begun.values()].map((ms) => (nowMs - ms) / 1000)), queue);
    });
  tell('workqueue_unfinished_work_seconds', 'Work that is under way, all together.', (all) =>
    all.reduce((sum, one) => sum + one, 0),
  );
  tell('workqueue_longest_running_processor_seconds', 'The oldest work that is under way.', (all) =>
    Math.max(0, ...all),
  );
  return (queue) => {
    const begun = new Map<string, number>();
    working.set(queue, begun);
    depths.set(0, queue);
    return {
      added(depth) {
        adds.add(1, queue);
        depths.set(depth, queue);
      },
      retried: () => retries.add(1, queue),
      taken(key, waitedMs, depth) {
        waits.observe(waitedMs / 1000, queue);
        depths.set(depth, queue);
        begun.set(key, clock.monotonic());
      },
      done(key, workedMs) {
        works.observe(workedMs / 1000, queue);
        begun.delete(key);
      },
    };
  };
}
