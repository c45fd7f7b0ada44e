import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Turn } from '../../../../libs/kind/reconciler.ts';
import { MetricSet } from '../../../../libs/metrics/metrics.ts';
import { NOTHING_YET } from './behavior.ts';
import { horizontalCounting } from './counting.ts';
import { type Action, type Fetched, type Observed, plan } from './plan.ts';

/** Looks once at an autoscaler of two replicas with these external metrics (value and target), each fetched in 10 ms. */
function look(metrics: readonly (readonly [value: number | undefined, target: number])[], over: object = {}) {
  const hpa = {
    metadata: { name: 'h', namespace: 'n' },
    spec: {
      minReplicas: 1,
      maxReplicas: 10,
      metrics: metrics.map(([, value], i) => ({
        type: 'External',
        external: { metric: { name: `m${i}` }, target: { type: 'AverageValue', averageValue: String(value) } },
      })),
    },
  };
  const fetched = metrics.map(
    ([value]): Fetched =>
      value === undefined
        ? { type: 'failed', message: 'no', tookMs: 10 }
        : { type: 'value', milli: value * 1000, tookMs: 10 },
  );
  const target = { path: '', specReplicas: 2, statusReplicas: 2 };
  const observed = { hpa, target, pods: [], fetched, memory: NOTHING_YET, ...over } as unknown as Observed;
  const planned = plan(observed, Date.parse('2026-01-01T00:00:00Z'));
  const turn: Turn<Observed, Action> = {
    key: 'n/h',
    observed,
    plan: planned,
    done: planned.actions,
    failed: false,
    tookMs: 20,
  };
  const set = new MetricSet();
  horizontalCounting(set).turned(turn);
  const read = (name: string) =>
    [...set.text().matchAll(new RegExp(`^horizontal_pod_autoscaler_controller_${name}(.*)$`, 'gm'))].map(
      ([, of]) => of,
    );
  return read;
}

test('looks at autoscalers are counted by where they led, and each metric by what it asked for', () => {
  const up = look([
    [30, 10],
    [5, 10],
  ]);
  assert.deepEqual(up('reconciliations_total'), ['{action="scale_up",error="none"} 1']);
  assert.deepEqual(up('reconciliation_duration_seconds_sum'), ['{action="scale_up",error="none"} 0.02']);
  assert.deepEqual(up('metric_computation_total'), [
    '{action="scale_up",error="none",metric_type="External"} 1',
    '{action="scale_down",error="none",metric_type="External"} 1',
  ]);
  assert.deepEqual(up('metric_computation_duration_seconds_sum'), [
    '{action="scale_up",error="none",metric_type="External"} 0.01',
    '{action="scale_down",error="none",metric_type="External"} 0.01',
  ]);
});

test('what went wrong is counted: metrics that are not told, what the user has to mend', () => {
  const failed = look([[undefined, 10]]);
  assert.deepEqual(failed('reconciliations_total'), ['{action="none",error="internal"} 1']);
  assert.deepEqual(failed('metric_computation_total'), ['{action="none",error="internal",metric_type="External"} 1']);
  const selectorFailure = { reason: 'SelectorRequired', message: 'm', error: 'selector is required' };
  const spec = look([[1, 10]], { selectorFailure });
  assert.deepEqual(spec('reconciliations_total'), ['{action="none",error="spec"} 1']);
  assert.deepEqual(spec('metric_computation_total'), []);
  const away = look([], { target: { failure: 'not found' } });
  assert.deepEqual(away('reconciliations_total'), ['{action="none",error="internal"} 1']);
});
