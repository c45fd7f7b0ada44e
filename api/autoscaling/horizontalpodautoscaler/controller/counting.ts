import type { Turn, TurnObserver } from '../../../../libs/kind/reconciler.ts';
import { exponentialBuckets, type MetricSet } from '../../../../libs/metrics/metrics.ts';
import type { Action, HorizontalPlan, Observed } from './plan.ts';

const SECONDS = exponentialBuckets(0.001, 2, 15);

type ScaleAction = Extract<Action, { type: 'scale' }>;

/** Counts looks at autoscalers and at their metrics, under upstream's names (`horizontal_pod_autoscaler_controller_…`). */
export function horizontalCounting(metrics: MetricSet): TurnObserver<Observed, Action> {
  const name = (what: string) => `horizontal_pod_autoscaler_controller_${what}`;
  const of = ['action', 'error'];
  const looks = metrics.counter(name('reconciliations_total'), 'Looks at autoscalers, by what they led to.', of);
  const lookSeconds = metrics.histogram(
    name('reconciliation_duration_seconds'),
    'How long looks at autoscalers took.',
    of,
    SECONDS,
  );
  const ofMetric = [...of, 'metric_type'];
  const computed = metrics.counter(name('metric_computation_total'), 'Metrics, by what they asked for.', ofMetric);
  const computedSeconds = metrics.histogram(
    name('metric_computation_duration_seconds'),
    'How long it took to find out what metrics ask for.',
    ofMetric,
    SECONDS,
  );
  return {
    turned(turn) {
      const { observed, done, tookMs } = turn;
      if (!observed) return;
      const scaled = done.find((action): action is ScaleAction => action.type === 'scale');
      const labels = [scaled ? direction(scaled.from, scaled.to) : 'none', errorOf(turn, observed)];
      looks.add(1, ...labels);
      lookSeconds.observe(tookMs / 1000, ...labels);
      const { hpa, target, fetched } = observed;
      if ('failure' in target) return;
      const all = (turn.plan as HorizontalPlan).computed;
      for (const [i, replicas] of all.entries()) {
        const type = hpa.spec.metrics?.[i]?.type ?? '';
        const action = replicas === undefined ? 'none' : direction(target.specReplicas, replicas);
        const error = replicas === undefined ? 'internal' : 'none';
        computed.add(1, action, error, type);
        computedSeconds.observe((fetched[i]?.tookMs ?? 0) / 1000, action, error, type);
      }
    },
  };
}

const direction = (from: number, to: number): string => (to > from ? 'scale_up' : to < from ? 'scale_down' : 'none');

/** `spec`: the user's to mend. The first one counts. */
function errorOf({ plan, failed }: Turn<Observed, Action>, { target, selectorFailure }: Observed): string {
  if ('failure' in target) return 'internal';
  if (selectorFailure) return 'spec';
  return failed || (plan as HorizontalPlan).computed.includes(undefined) ? 'internal' : 'none';
}
