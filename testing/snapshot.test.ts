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

test('what a restored cluster runs starts when it is needed', async (t) => {
  const from = await prepared();
  const restored = () => createCluster({ from, seed: 1 });

  await t.test('nothing has happened before time passes', async () => {
    await using cluster = await restored();
    const { metadata } = await cluster.client.apps.v1.deployments('default').get('web');
    assert.equal(metadata.name, 'web');
    assert.deepEqual(cluster.history().entries, []);
    await cluster.advance('11s');
    const writes = cluster.history().entries.flatMap((one) => (one.type === 'put' ? [one.key] : []));
    const renewed = new Set(writes.filter((key) => key.includes('/leases/')));
    assert.equal(renewed.size, 2, 'the third node is down');
  });

  await t.test('nodes go on, and do not tell anew what they have told', async () => {
    await using cluster = await restored();
    await cluster.advance('3s');
    const aboutNodes = cluster.history().entries.filter((one) => one.type === 'request' && /\/nodes\b/.test(one.path));
    assert.deepEqual(aboutNodes, []);
    await cluster.nodes[2]?.restart();
    await cluster.advance('3s');
    const { items } = await cluster.client.core.v1.events('default').list();
    const starts = items.filter(({ reason }) => reason === 'Starting').map(({ involvedObject }) => involvedObject.name);
    assert.deepEqual(starts.sort(), ['node-1', 'node-2', 'node-3', 'node-3'], 'a boot is one, whatever was before');
  });

  await t.test('images may be bound until then', async () => {
    await using cluster = await restored();
    cluster.image('shop/web:1', (pod) => pod.serve(8080, () => 'late'));
    const answered = () => cluster.fetch('http://web.default/').catch(() => undefined);
    assert.equal((await cluster.until(answered)).body, 'late');
  });

  await t.test('a node may be lost before', async () => {
    await using cluster = await restored();
    assert.equal(cluster.nodes[0]?.runtime.containers.size, 1);
    await cluster.nodes[0]?.crash();
    assert.deepEqual(
      cluster.nodes.map(({ state }) => state),
      ['crashed', 'running', 'crashed'],
    );
    await cluster.until('node/node-1', (node) =>
      node.status.conditions.some((one) => one.type === 'Ready' && one.status === 'Unknown'),
    );
  });

  await t.test('components are known before', async () => {
    await using cluster = await restored();
    cluster.faults.skew('scheduler', 60_000);
    assert.throws(
      () => cluster.faults.skew('dns', 1),
      /runs no component "dns"; it runs controller-manager, scheduler/,
    );
  });
});

test('what is no snapshot is told', async () => {
  await assert.rejects(createCluster({ from: {} as never }), /from wants a snapshot of a cluster/);
  await assert.rejects(createCluster({ from: { format: 7 } as never }), /a snapshot of format 7; this version reads 1/);
  await using cluster = await createCluster({ time: 'real', components: [] });
  await assert.rejects(cluster.snapshot(), ClusterUsageError);
});
