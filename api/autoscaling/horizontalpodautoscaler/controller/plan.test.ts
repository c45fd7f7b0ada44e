import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { HorizontalPodAutoscaler, MetricSpec } from '../../../types/autoscaling/v2.generated.ts';
import { NOTHING_YET } from './behavior.ts';
import { type Fetched, type Observed, plan } from './plan.ts';
import type { HpaPod } from './replicas.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');

const pod = (name: string): HpaPod =>
  ({
    metadata: { name },
    spec: { containers: [{ name: 'web', resources: { requests: { cpu: '1', memory: '100Mi' } } }] },
    status: {
      phase: 'Running',
      startTime: '2026-01-01T00:00:00Z',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:01Z' }],
    },
  }) as unknown as HpaPod;

const samples = (...milli: number[]): Fetched => ({
  type: 'pods',
  samples: new Map(milli.map((value, i) => [`p${i}`, { milli: value, atMs: NOW, windowMs: 30_000 }])),
});
const value = (milli: number): Fetched => ({ type: 'value', milli });
const failed: Fetched = { type: 'failed', message: 'nobody answers' };

const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };
const memory = {
  type: 'ContainerResource',
  containerResource: { name: 'memory', container: 'web', target: { type: 'AverageValue', averageValue: '50Mi' } },
};
const metric = { name: 'requests' };
const ofPods = { type: 'Pods', pods: { metric, target: { type: 'AverageValue', averageValue: '10' } } };
const describedObject = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' };
const object = { type: 'Object', object: { metric, describedObject, target: { type: 'Value', value: '100' } } };
const external = { type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '5' } } };

interface Case {
  readonly name: string;
  readonly metrics: readonly object[];
  readonly fetched: readonly Fetched[];
  /** Changes, warnings, conditions. */
  readonly does: readonly string[];
  readonly current?: readonly object[];
}

const MIB = 1024 * 1024 * 1000;
const CASES: Case[] = [
  {
    name: 'memory of one container',
    metrics: [memory],
    fetched: [samples(75 * MIB, 75 * MIB)],
    does: ['2 → 3 as memory container resource above target', 'ScalingActive ValidMetricFound'],
    current: [
      {
        type: 'ContainerResource',
        containerResource: { name: 'memory', container: 'web', current: { averageValue: '78643200' } },
      },
    ],
  },
  {
    name: 'a metric of pods',
    metrics: [ofPods],
    fetched: [samples(20_500, 19_500)],
    does: ['2 → 4 as pods metric requests above target', 'ScalingActive ValidMetricFound'],
    current: [{ type: 'Pods', pods: { metric, current: { averageValue: '20' } } }],
  },
  {
    name: 'a metric of an object',
    metrics: [object],
    fetched: [value(150_500)],
    does: ['2 → 4 as Ingress metric requests above target', 'ScalingActive ValidMetricFound'],
    current: [{ type: 'Object', object: { describedObject, metric, current: { value: '150500m' } } }],
  },
  {
    name: 'a metric of something else, shared out',
    metrics: [external],
    fetched: [value(14_000)],
    does: ['2 → 3 as external metric requests above target', 'ScalingActive ValidMetricFound'],
    current: [{ type: 'External', external: { metric, current: { averageValue: '7' } } }],
  },
  {
    name: 'the metric that asks for most decides',
    metrics: [cpu, ofPods],
    fetched: [samples(500, 500), samples(20_000, 20_000)],
    does: ['2 → 4 as pods metric requests above target', 'ScalingActive ValidMetricFound'],
  },
  {
    name: 'one that fails does not keep the others from more',
    metrics: [external, cpu],
    fetched: [failed, samples(1000, 1000)],
    does: [
      'Warning FailedGetExternalMetric: failed to get requests external metric: nobody answers',
      '2 → 4 as cpu resource utilization (percentage of request) above target',
      'ScalingActive ValidMetricFound',
    ],
  },
  {
    name: 'but from less',
    metrics: [object, cpu],
    fetched: [failed, samples(10, 10)],
    does: [
      'Warning FailedGetObjectMetric: failed to get object metric: nobody answers',
      'Warning FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 2), first error is: ' +
        'failed to get object metric value: failed to get object metric: nobody answers',
      'ScalingActive FailedGetObjectMetric',
    ],
  },
];

const observed = (metrics: readonly object[], fetched: readonly Fetched[]): Observed => ({
  hpa: {
    metadata: { name: 'web', namespace: 'default' },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'web' }, maxReplicas: 10, metrics: metrics as MetricSpec[] },
  } as unknown as Live<HorizontalPodAutoscaler>,
  target: { path: '/scale', specReplicas: 2, statusReplicas: 2 },
  pods: [pod('p0'), pod('p1')],
  fetched,
  memory: NOTHING_YET,
});

for (const { name, metrics, fetched, does, current } of CASES) {
  test(name, () => {
    const { actions, againAfterMs } = plan(observed(metrics, fetched), NOW);
    const told: string[] = [];
    for (const action of actions) {
      if (action.type === 'event') told.push(`${action.event[0]} ${action.event[1]}: ${action.event[2]}`);
      if (action.type === 'scale') told.push(`${action.from} → ${action.to} as ${action.why}`);
      if (action.type !== 'status') continue;
      const active = action.status.conditions?.find(({ type }) => type === 'ScalingActive');
      told.push(`ScalingActive ${active?.reason}`);
      if (current) assert.deepEqual(action.status.currentMetrics, current);
    }
    assert.deepEqual(told, does);
    assert.equal(againAfterMs, 15_000);
  });
}

test('what is written already is not written again', () => {
  const first = observed([cpu], [samples(500, 500)]);
  const written = plan(first, NOW).actions.find(({ type }) => type === 'status');
  assert.ok(written?.type === 'status');
  const hpa = { ...first.hpa, status: written.status } as Observed['hpa'];
  const again = plan({ ...first, hpa }, NOW + 15_000).actions.map(({ type }) => type);
  assert.deepEqual(again, ['remember']);
});
