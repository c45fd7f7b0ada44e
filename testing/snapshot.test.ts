import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ClusterSnapshot, ClusterUsageError, createCluster } from './index.ts';

const manifests = fileURLToPath(new URL('fixtures/shop/', import.meta.url));
const images = {
  'shop/web:1': (pod: { serve(port: number, handler: () => string): void }) => pod.serve(8080, () => 'hi'),
};

async function prepared(): Promise<ClusterSnapshot> {
  await using cluster = await createCluster({ nodes: 3, seed: 9, images });
  await cluster.apply(manifests);
  await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3);
  await cluster.nodes[2]?.crash();
  return await cluster.snapshot();
}

test('a cluster goes on from a snapshot, as often as wanted', async () => {
  const from = await prepared();
  const uids: string[][] = [];
  const histories: string[] = [];
  for (const seed of [1, 1, 2]) {
    await using cluster = await createCluster({ from, seed, images });
    assert.equal(cluster.clock.now(), from.nowMs);
    assert.deepEqual(
      cluster.nodes.map(({ state }) => state),
      ['running', 'running', 'crashed'],
    );
    const before = (await cluster.client.core.v1.pods('default').list()).items;
    assert.equal(before.length, 3);
    // Functions are called anew. One endpoint of three is that of the node that is down, which nobody knows yet.
    const answered = () => cluster.fetch('http://web.default/').catch(() => undefined);
    assert.equal((await cluster.until(answered)).body, 'hi');
    // Nothing is restarted: what ran goes on.
    await cluster.advance('30s');
    const after = (await cluster.client.core.v1.pods('default').list()).items;
    assert.deepEqual(
      after.map(({ status }) => status?.containerStatuses?.[0]?.restartCount),
      [0, 0, 0],
    );
    await cluster.client.apps.v1.deployments('default').patch('web', { spec: { replicas: 5 } }, { type: 'merge' });
    await cluster.until('deployment/web', (d) => d.status.replicas === 5);
    const all = (await cluster.client.core.v1.pods('default').list()).items.map(({ metadata }) => metadata.uid);
    assert.equal(new Set(all).size, 5, 'nothing is drawn twice');
    uids.push(all);
    histories.push(String(cluster.history()));
  }
  assert.deepEqual(uids[0], uids[1]);
  assert.equal(histories[0], histories[1]);
  assert.notDeepEqual(uids[0], uids[2]);
});

test('what is no snapshot is told', async () => {
  await assert.rejects(createCluster({ from: {} as never }), /from wants a snapshot of a cluster/);
  await assert.rejects(createCluster({ from: { format: 7 } as never }), /a snapshot of format 7; this version reads 1/);
  await using cluster = await createCluster({ time: 'real', components: [] });
  await assert.rejects(cluster.snapshot(), ClusterUsageError);
});
