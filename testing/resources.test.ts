// What simulated nodes have, run short of, and what becomes of their pods then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cluster, ClusterUsageError, createCluster } from './index.ts';

const pod = (name: string, image: string, more: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image, ...more }], ...spec },
});
const MI = 1024 ** 2;
const runs = (cluster: Cluster, name: string) => cluster.until(`pod/${name}`, (one) => one.status.phase === 'Running');
const isCondition = async (cluster: Cluster, type: string) =>
  (await cluster.client.core.v1.nodes().get('node-1')).status?.conditions?.find((one) => one.type === type)?.status;

test('a container is killed for its memory: its code and reason as upstream’s kubelet tells them, and it comes again', async () => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  await cluster.apply([pod('web', 'shop/web:1'), pod('job', 'shop/job:1', {}, { restartPolicy: 'Never' })]);
  await runs(cluster, 'web');
  await runs(cluster, 'job');
  await cluster.oomKill('web');
  await cluster.oomKill('job', { container: 'main' });
  const web = await cluster.until(
    'pod/web',
    (one) => one.status.containerStatuses[0]?.restartCount === 1 && one.status.phase === 'Running',
  );
  const { reason, exitCode } = web.status?.containerStatuses?.[0]?.lastState?.terminated ?? {};
  assert.deepEqual([reason, exitCode], ['OOMKilled', 137]);
  const job = await cluster.until('pod/job', (one) => one.status.phase === 'Failed');
  assert.equal(job.status?.containerStatuses?.[0]?.state?.terminated?.reason, 'OOMKilled');
  await assert.rejects(
    cluster.oomKill('job'),
    (error) => error instanceof ClusterUsageError && /no container of pod default\/job runs/.test(error.message),
  );
  await assert.rejects(
    cluster.oomKill('web', { container: 'side' }),
    /no container "side" of pod default\/web runs on node-/,
  );
  await assert.rejects(cluster.oomKill('web', { namespace: 'shop' }), /pod shop\/web/);
});

test('a node short of memory says so and evicts the worst pod; a Deployment’s comes again elsewhere', async () => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  cluster.image('shop/hog:1', { usage: { memoryBytes: 900 * MI } });
  const onFirst = { nodeSelector: { 'kubernetes.io/hostname': 'node-1' } };
  await cluster.apply([
    pod('modest', 'shop/web:1', { resources: { requests: { memory: '10Mi' } } }, onFirst),
    pod('hog', 'shop/hog:1', {}, onFirst),
  ]);
  await runs(cluster, 'modest');
  await runs(cluster, 'hog');
  cluster.nodes[0].pressure('memory');
  const hog = await cluster.until('pod/hog', (one) => one.status.phase === 'Failed');
  assert.equal(hog.status?.reason, 'Evicted');
  assert.match(
    hog.status?.message ?? '',
    /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: 51200Ki\./,
  );
  assert.equal(hog.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
  assert.equal(await isCondition(cluster, 'MemoryPressure'), 'True');
  const { spec } = await cluster.client.core.v1.nodes().get('node-1');
  assert.ok(spec?.taints?.some(({ key }) => key === 'node.kubernetes.io/memory-pressure'));
  await cluster.advance('2m');
  assert.equal(
    (await cluster.client.core.v1.pods('default').get('modest')).status?.phase,
    'Running',
    'what the hog used is enough',
  );

  // Another best-effort pod is not put there now.
  await cluster.apply(pod('late', 'shop/web:1'));
  assert.equal((await runs(cluster, 'late')).spec?.nodeName, 'node-2');
  cluster.nodes[0].relieve();
  await cluster.advance('6m');
  assert.equal(await isCondition(cluster, 'MemoryPressure'), 'False');
});

test('a node short of disk evicts who uses most of it; in snapshots it stays short', async () => {
  await using cluster = await createCluster({ nodes: [{ capacity: { 'ephemeral-storage': '10Gi' } }], seed: 1 });
  cluster.image('shop/talker:1', (one) => {
    one.log('x'.repeat(100_000));
    one.onStop(() => 0);
  });
  await cluster.apply([pod('quiet', 'shop/web:1'), pod('talker', 'shop/talker:1')]);
  await runs(cluster, 'quiet');
  await runs(cluster, 'talker');
  cluster.nodes[0].pressure('disk', '1%');
  const evicted = await cluster.until('pod/talker', (one) => one.status.phase === 'Failed');
  assert.match(evicted.status?.message ?? '', /^The node was low on resource: ephemeral-storage\./);
  assert.equal(await isCondition(cluster, 'DiskPressure'), 'True');
  await using again = await createCluster({ from: await cluster.snapshot(), seed: 2 });
  await again.advance('10m');
  assert.equal(await isCondition(again, 'DiskPressure'), 'True');
  again.nodes[0].relieve('disk');
  await again.advance('6m');
  assert.equal(await isCondition(again, 'DiskPressure'), 'False');
});

test('of the disk that images are on more must be left: what fills it stops being scheduled, and is told', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1 });
  await cluster.advance('1m');
  // More than `nodefs.available` wants, less than `imagefs.available` does.
  cluster.nodes[0].pressure('disk', '12%');
  await cluster.advance('6m');
  assert.equal(await isCondition(cluster, 'DiskPressure'), 'True');
  const { items } = await cluster.client.core.v1.events('default').list();
  const told = items.find(({ reason }) => reason === 'FreeDiskSpaceFailed');
  assert.match(told?.message ?? '', /Insufficient free disk space on the node's image filesystem \(88% of 64/);
});

test('processes run out where the kubelet has a threshold for them', async () => {
  const kubelet = { evictionHard: { 'pid.available': '1000' } };
  await using cluster = await createCluster({ nodes: [{ kubelet }, {}], seed: 1 });
  cluster.nodes[0].pressure('pids', '500');
  await cluster.until(async () => (await isCondition(cluster, 'PIDPressure')) === 'True', { within: '1m' });
  const other = cluster.nodes[1] as (typeof cluster.nodes)[0];
  for (const [act, message] of [
    [() => other.pressure('pids'), /node-2 has no threshold for pids.*'pid\.available'/],
    [() => other.pressure('heat' as 'memory'), /does not run short of "heat"; of memory, disk, pids/],
    [() => other.relieve('heat' as 'memory'), /"heat"/],
    [() => other.pressure('memory', 'little'), /"little" is no amount/],
    [() => other.pressure('memory', '-1Mi'), /"-1Mi" is no amount/],
  ] as const)
    assert.throws(act, (error) => error instanceof ClusterUsageError && message.test(error.message), String(message));
});

test('devices are capacity: pods wait for them, and get them', async () => {
  await using cluster = await createCluster({ nodes: [{}, { capacity: { 'example.com/gpu': '2' } }], seed: 1 });
  const node = await cluster.client.core.v1.nodes().get('node-2');
  assert.equal(node.status?.capacity?.['example.com/gpu'], '2');
  assert.equal(node.status?.allocatable?.['example.com/gpu'], '2');
  const wanting = (name: string, count: string) =>
    pod(name, 'shop/train:1', { resources: { limits: { 'example.com/gpu': count } } });
  await cluster.apply([wanting('one', '1'), wanting('other', '1')]);
  for (const name of ['one', 'other']) assert.equal((await runs(cluster, name)).spec?.nodeName, 'node-2');
  await cluster.apply(wanting('late', '1'));
  const late = await cluster.until('pod/late', (one) =>
    one.status.conditions.some(({ reason }) => reason === 'Unschedulable'),
  );
  assert.match(late.status?.conditions?.[0]?.message ?? '', /Insufficient example\.com\/gpu/);
  await cluster.client.core.v1.pods('default').delete('one');
  await runs(cluster, 'late');
});

test('what is no node is told with its place', async () => {
  for (const [node, message] of [
    [{ capcity: {} }, /^nodes\[1\]: a node has no "capcity"; it has name, capacity,/],
    [{ name: 'big', capacity: { gpu: '1' } }, /^nodes\[1\] \("big"\): capacity knows cpu, .* not "gpu"$/],
    [{ capacity: { cpu: 'many' } }, /capacity\.cpu wants a quantity such as .* not "many"/],
    [{ capacity: { cpu: 4 } }, /capacity\.cpu wants a quantity such as .* not 4/],
    [{ taints: [{ key: 'a', effect: 'NoRun' }] }, /taints\[0\]\.effect is one of NoSchedule, .* not "NoRun"/],
    [{ taints: [{ effect: 'NoSchedule' }] }, /taints\[0\] wants a key/],
    [null, /a node is an object/],
  ] as const)
    await assert.rejects(
      createCluster({ nodes: [{}, node as never] }),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
      JSON.stringify(node),
    );
});

test('a kubelet follows its node, and does not ask for it before each report', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1 });
  cluster.faults.add({ fault: 'refuse', verbs: ['get'], resources: ['nodes'], users: ['system:node:*'] });
  await cluster.client.core.v1.nodes().patch('node-1', { spec: { unschedulable: true } }, { type: 'merge' });
  await cluster.advance('1m');
  cluster.nodes[0].pressure('memory');
  await cluster.advance('1m');
  const { status } = await cluster.client.core.v1.nodes().get('node-1');
  assert.equal(status?.conditions?.find(({ type }) => type === 'MemoryPressure')?.status, 'True');
  const { items } = await cluster.client.core.v1.events('default').list();
  assert.ok(items.some(({ reason }) => reason === 'NodeNotSchedulable'));
  assert.equal(cluster.faults.counts.refuse ?? 0, 0);
});
