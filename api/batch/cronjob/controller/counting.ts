import type { ControllerEnvironment, TurnObserver } from '../../../../libs/kind/reconciler.ts';
import { exponentialBuckets, type MetricSet } from '../../../../libs/metrics/metrics.ts';
import type { Action, Observed } from './plan.ts';

/** Counts how late Jobs begin, under upstream's name. */
export function cronJobCounting(
  metrics: MetricSet,
  { clock }: Pick<ControllerEnvironment, 'clock'>,
): TurnObserver<Observed, Action> {
  const skew = metrics
    .histogram(
      'cronjob_controller_job_creation_skew_duration_seconds',
      'From the time that a Job was due to its creation.',
      [],
      exponentialBuckets(1, 2, 10),
    )
    .at();
  return {
    turned({ done }) {
      for (const action of done) {
        // Objects say the second that they were made in.
        if (action.type === 'start') skew.observe(Math.floor(clock.now() / 1000) - action.scheduledMs / 1000);
      }
    },
  };
}
