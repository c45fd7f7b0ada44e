import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromV2, toV2 } from './v1.ts';

const scaleTargetRef = { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' };

test('the pods’ CPU is a field, every other metric an annotation, and nothing is lost on the way', () => {
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } };
  const qps = { type: 'Pods', pods: { metric: { name: 'qps' }, target: { type: 'AverageValue', averageValue: '1k' } } };
  const behavior = { scaleDown: { policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } };
  const stored = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'x', annotations: { keep: 'me' } },
    spec: { scaleTargetRef, maxReplicas: 3, metrics: [cpu, qps], behavior },
    status: { desiredReplicas: 2, currentMetrics: [] },
  };
  const shown = fromV2(structuredClone(stored)) as { spec?: object; metadata?: { annotations?: object } };
  assert.deepEqual(shown.spec, { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 70 });
  assert.deepEqual(Object.keys(shown.metadata?.annotations ?? {}), [
    'keep',
    'autoscaling.alpha.kubernetes.io/metrics',
    'autoscaling.alpha.kubernetes.io/behavior',
  ]);
  const back = toV2(structuredClone(shown) as object);
  assert.deepEqual(back.spec, stored.spec);
  assert.deepEqual(back.metadata, stored.metadata);
});

test('annotations that cannot be read are dropped', () => {
  const annotations = { 'autoscaling.alpha.kubernetes.io/metrics': 'nonsense' };
  const stored = toV2({ metadata: { name: 'x', annotations }, spec: { scaleTargetRef, maxReplicas: 1 } } as object);
  assert.deepEqual(stored.metadata, { name: 'x' });
  assert.equal(stored.spec.metrics, undefined);
});
