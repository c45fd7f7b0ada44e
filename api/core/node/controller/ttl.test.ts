import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { nodes } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';
import { plan, secondsOf, stepOf } from './ttl.ts';

test('how long a kubelet believes, by the size of the cluster, and where it came from', () => {
  const cases: [number, number, number][] = [
    [1, 0, 0],
    [100, 0, 0],
    [101, 0, 15],
    [95, 1, 15],
    [89, 1, 0],
    [5000, 0, 300],
    [1900, 4, 300],
    [1700, 4, 60],
    [3, 4, 0],
  ];
  for (const [size, step, seconds] of cases)
    assert.equal(secondsOf(stepOf(size, step)), seconds, `${size} from ${step}`);
});

test('a node is written only when it says something else', () => {
  const look = (annotations: object, seconds: number, more: object = {}) =>
    plan({ node: { metadata: { name: 'n', annotations, ...more } } as unknown as Live<Node>, seconds }).actions[0]
      ?.value;
  assert.equal(look({}, 0), '0');
  assert.equal(look({ 'node.alpha.kubernetes.io/ttl': '0' }, 0), undefined);
  assert.equal(look({ 'node.alpha.kubernetes.io/ttl': '0' }, 15), '15');
  assert.equal(look({}, 15, { deletionTimestamp: 'now' }), undefined);
});

test('the hundred and first node changes all', async () => {
  await using cluster = await createCluster({ seed: 'ttl' });
  const client = cluster.client.resource(nodes);
  const told = async () => {
    const { items } = await client.list();
    return [...new Set(items.map(({ metadata }) => metadata.annotations?.['node.alpha.kubernetes.io/ttl']))].join();
  };
  for (let i = 0; i < 100; i++) await client.create({ metadata: { name: `n${i}` }, spec: {} });
  await cluster.until(async () => (await told()) === '0');
  await client.create({ metadata: { name: 'n100' }, spec: {} });
  await cluster.until(async () => (await told()) === '15');
});
