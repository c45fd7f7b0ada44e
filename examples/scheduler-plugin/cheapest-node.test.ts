import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCluster } from 'tutti';
import { cheapestNode } from './cheapest-node.ts';

const cost = (cents: number) => ({ 'example.com/cents-per-hour': String(cents) });
const pod = (name: string, cpu: string, annotations: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, annotations },
  spec: { containers: [{ name: 'main', image: 'shop/work:1', resources: { requests: { cpu } } }] },
});

const withPlugin = () =>
  createCluster({
    seed: 7,
    scheduler: { plugins: [cheapestNode] },
    nodes: [
      { name: 'dear', labels: cost(80), capacity: { cpu: '8' } },
      { name: 'cheap', labels: cost(10), capacity: { cpu: '2' } },
      { name: 'middling', labels: cost(40), capacity: { cpu: '8' } },
    ],
  });

test('pods go to the cheapest node that has room', async () => {
  await using cluster = await withPlugin();
  for (const [name, node] of [
    ['first', 'cheap'],
    ['second', 'middling'],
  ] as const) {
    await cluster.apply(pod(name, '1500m'));
    const placed = await cluster.until(`pod/${name}`, (one) => one.status.phase === 'Running');
    assert.equal(placed.spec.nodeName, node);
  }
});

test('a pod with a budget waits, says why, and goes where it can once prices fall', async () => {
  await using cluster = await withPlugin();
  await cluster.apply(pod('thrifty', '4', { 'example.com/budget': '20' }));
  const waiting = await cluster.until('pod/thrifty', (one) =>
    one.status.conditions?.some((c) => c.reason === 'Unschedulable'),
  );
  assert.match(waiting.status.conditions?.[0]?.message ?? '', /2 node\(s\) cost more than the pod may/);
  await cluster.client.core.v1.nodes().patch('dear', { metadata: { labels: cost(15) } }, { type: 'merge' });
  const placed = await cluster.until('pod/thrifty', (one) => one.status.phase === 'Running');
  assert.equal(placed.spec.nodeName, 'dear');
});
