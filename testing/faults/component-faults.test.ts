// What befalls components and nodes, beyond their clocks: they crash, and the way to the API server is cut, slow or lossy.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps } from '../../api/resources.ts';
import { deployment as web } from '../../tests/fixtures/deployment.ts';
import {
  type Cluster,
  ClusterUsageError,
  type ComponentFunction,
  createCluster,
  type SimulatedNode,
} from '../index.ts';

const podsOf = async (cluster: Cluster) => (await cluster.client.core.v1.pods('default').list()).items;

test('a controller manager that was killed does nothing; started anew it takes up where it was', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1 });
  const { faults } = cluster;
  await faults.crash('controller-manager');
  await cluster.apply(web(2));
  await cluster.advance('1m');
  assert.equal((await podsOf(cluster)).length, 0);
  await faults.restart('controller-manager');
  await cluster.until('deployment/web', (one) => one.status.availableReplicas === 2);
  await faults.crash('scheduler');
  await cluster.apply(web(3));
  await cluster.advance('1m');
  assert.equal((await podsOf(cluster)).filter(({ spec }) => !spec?.nodeName).length, 1, 'nobody places it');
  await faults.restart('scheduler');
  await cluster.until('deployment/web', (one) => one.status.availableReplicas === 3);
  assert.equal(faults.counts['component-crash'], 2);
  await assert.rejects(
    faults.crash('moon'),
    (error) =>
      error instanceof ClusterUsageError &&
      /no component "moon"; it runs controller-manager, scheduler/.test(error.message),
  );
});

test('a component that is cut off hears and says nothing; healed it catches up', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const seen: string[] = [];
  const follower: ComponentFunction = async ({ informers, client }) => {
    informers.informer(configMaps).on((map) => {
      if (!map?.metadata.name.startsWith('map-')) return;
      seen.push(map.metadata.name);
      void client.core.v1
        .configMaps('default')
        .patch(map.metadata.name, { data: { seen: 'yes' } }, { type: 'merge' })
        .catch(() => undefined);
    });
    await informers.synced();
  };
  await cluster.run(follower);
  const maps = cluster.client.core.v1.configMaps('default');
  const isSeen = (name: string) => cluster.until(async () => (await maps.get(name)).data?.['seen'] === 'yes');
  await maps.create({ metadata: { name: 'map-1' } });
  await isSeen('map-1');
  const { faults } = cluster;
  faults.partition('follower');
  assert.equal(faults.link('follower').counts.watches, 1, 'its watch broke');
  await maps.create({ metadata: { name: 'map-2' } });
  await cluster.advance('1m');
  assert.ok(!seen.includes('map-2'));
  assert.ok(faults.link('follower').counts.cut > 0, 'it tried to list anew');
  faults.heal('follower');
  await isSeen('map-2');
  assert.equal(faults.counts['component-partition'], 1);

  const link = faults.link('follower');
  link.delayMs = 5_000;
  const beganMs = cluster.clock.monotonic();
  await maps.create({ metadata: { name: 'map-3' } });
  await isSeen('map-3');
  assert.ok(cluster.clock.monotonic() - beganMs >= 5_000, 'a slow link');
  link.delayMs = 0;
  link.loss = 1;
  await maps.create({ metadata: { name: 'map-4' } });
  await cluster.advance('1m');
  assert.equal((await maps.get('map-4')).data?.['seen'], undefined, 'a link that loses all');
  assert.ok(link.counts.lost > 0);
  faults.clear();
  assert.deepEqual([link.loss, link.delayMs, link.cut], [0, 0, false]);
});

test('a node that is cut off hears of nothing new, also not of Services; healed it sees what there is', async () => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  const starts: string[] = [];
  cluster.image('shop/teller:1', (one) => {
    starts.push(`${one.pod.name} ${one.env['LATE_SERVICE_HOST'] ? 'knows' : 'does not know'}`);
    one.onStop(() => 0);
  });
  const node = cluster.nodes[0] as SimulatedNode;
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'teller' },
    spec: { nodeName: node.name, containers: [{ name: 'main', image: 'shop/teller:1' }] },
  });
  await cluster.until('pod/teller', (one) => one.status.phase === 'Running');
  await node.partition();
  await cluster.apply([
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'late' }, spec: { ports: [{ port: 80 }] } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'new' },
      spec: { nodeName: node.name, containers: [{ name: 'main', image: 'shop/teller:1' }] },
    },
  ]);
  node.kill('shop/teller:1', 1);
  await cluster.advance('20s');
  assert.deepEqual(
    starts,
    ['teller does not know', 'teller does not know'],
    'it restarts what it knows, as it knew it',
  );
  await node.heal();
  await cluster.until('pod/new', (one) => one.status.phase === 'Running');
  assert.deepEqual(starts.slice(2), ['new knows']);
});

test('real time can be stopped for a while', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1, time: 'real' });
  const isRunning = async (name: string) =>
    (await cluster.client.core.v1.pods('default').get(name)).status?.phase === 'Running';
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'shop/slow:1' }] },
  });
  cluster.image('shop/slow:1', { startMs: 200 });
  cluster.freeze();
  const frozenMs = cluster.clock.now();
  await cluster.client.core.v1.pods('default').create(pod('a'));
  await new Promise((next) => setTimeout(next, 500));
  assert.equal(cluster.clock.now(), frozenMs);
  assert.equal(await isRunning('a'), false, 'nothing that takes time happens');
  await assert.rejects(
    cluster.advance('1s'),
    (error) => error instanceof ClusterUsageError && /time is frozen/.test(error.message),
  );
  await assert.rejects(
    cluster.until(() => isRunning('a')),
    /time is frozen/,
  );
  cluster.flow();
  await cluster.until(() => isRunning('a'), { within: '20s' });
  assert.ok(cluster.clock.now() >= frozenMs + 200);
  await using virtual = await createCluster({ seed: 1, components: [] });
  virtual.freeze();
  await virtual.advance('1s');
  assert.throws(() => virtual.flow(), /virtual time passes in advance, until and idle/);
});
