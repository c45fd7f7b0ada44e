import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../api/types/core/v1.generated.ts';
import { virtualTest } from '../../libs/testing/virtual-test.ts';
import { isEligible, ProxyHealth } from './health.ts';

test('a proxy is well until a change has waited for too long', async () => {
  const { clock } = virtualTest();
  const health = new ProxyHealth(clock);
  await clock.advance(3_600_000);
  assert.equal(health.healthy, true, 'without changes there is nothing to wait for');
  assert.equal(health.times.lastUpdatedMs, clock.now());

  const changedMs = clock.now();
  health.updated();
  health.queued();
  await clock.advance(40_000);
  health.queued();
  assert.equal(health.healthy, true);
  await clock.advance(20_000);
  assert.equal(health.healthy, false, 'the first of them counts');
  assert.deepEqual(health.times, { lastUpdatedMs: changedMs, currentMs: changedMs + 60_000 });

  health.updated();
  assert.equal(health.healthy, true);
});

const NODES: [string, Partial<Node> | undefined, boolean][] = [
  ['one that is not known', undefined, true],
  ['an ordinary one', { spec: { taints: [{ key: 'a', effect: 'NoExecute' }] } }, true],
  ['one that is cordoned', { spec: { unschedulable: true } }, true],
  ['one that is being deleted', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, false],
  [
    'one that the autoscaler takes away',
    { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } },
    false,
  ],
];
for (const [name, node, expected] of NODES) {
  test(`load balancers use ${name}: ${expected}`, () => assert.equal(isEligible(node as Node | undefined), expected));
}
