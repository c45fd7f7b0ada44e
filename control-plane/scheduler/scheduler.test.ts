import assert from 'node:assert/strict';
import { test } from 'node:test';
import { events, nodes, pods, priorityClasses, serviceAccounts } from '../../api/resources.ts';
import type { Node, Pod } from '../../api/types/core/v1.generated.ts';
import { createCluster } from '../../testing/create-cluster.ts';

type Cluster = Awaited<ReturnType<typeof createCluster>>;

async function makeNode(cluster: Cluster, name: string, cpu: string): Promise<void> {
  const all = cluster.client.resource(nodes);
  await all.create({ metadata: { name, labels: { 'kubernetes.io/hostname': name } } } as unknown as Node);
  const resources = { cpu, memory: '8Gi', pods: '110' };
  await all
    .subresource('status')
    .patch(name, { status: { capacity: resources, allocatable: resources } }, { type: 'merge' });
  // Nodes are born tainted until somebody says that they are ready.
  await all.patch(name, { spec: { taints: null } }, { type: 'merge' });
}

const pod = (name: string, cpu: string, more: object = {}): Pod => ({
  metadata: { name },
  spec: { containers: [{ name: 'a', image: 'web:1', resources: { requests: { cpu } } }], ...more },
});

/** A cluster with a scheduler and, as no controller makes it, the service account that pods run as. */
async function clusterWithScheduler(seed: number): Promise<Cluster> {
  const cluster = await createCluster({ seed, components: ['scheduler'] });
  await cluster.client
    .resource(serviceAccounts)
    .namespace('default')
    .create({ metadata: { name: 'default' } });
  return cluster;
}

const podsOf = (cluster: Cluster) => cluster.client.resource(pods).namespace('default');

const nodeOf = (cluster: Cluster, name: string) =>
  cluster.until(async () => (await podsOf(cluster).get(name)).spec?.nodeName, { what: `a node for ${name}` });

const scheduledCondition = async (cluster: Cluster, name: string) =>
  (await podsOf(cluster).get(name)).status?.conditions?.find(({ type }) => type === 'PodScheduled');

test('a pod is bound to the node with most room, and an event says so', async () => {
  await using cluster = await clusterWithScheduler(1);
  await makeNode(cluster, 'small', '1');
  await makeNode(cluster, 'large', '8');
  await podsOf(cluster).create(pod('web', '500m'));
  assert.equal(await nodeOf(cluster, 'web'), 'large');
  assert.equal((await scheduledCondition(cluster, 'web'))?.status, 'True');
  const event = await cluster.until(async () =>
    (await cluster.client.resource(events).namespace('default').list()).items.find(
      ({ reason }) => reason === 'Scheduled',
    ),
  );
  assert.equal(event.message, 'Successfully assigned default/web to large');
});

test('a pod that fits nowhere says why, and gets its node when room appears', async () => {
  await using cluster = await clusterWithScheduler(2);
  await makeNode(cluster, 'n1', '1');
  await podsOf(cluster).create(pod('big', '2'));
  const refused = await cluster.until(async () => {
    const condition = await scheduledCondition(cluster, 'big');
    return condition?.status === 'False' ? condition : undefined;
  });
  assert.equal(refused.reason, 'Unschedulable');
  assert.match(refused.message ?? '', /^0\/1 nodes are available: 1 Insufficient cpu\. no new claims to deallocate, /);
  await makeNode(cluster, 'n2', '4');
  assert.equal(await nodeOf(cluster, 'big'), 'n2');
});

test('a more important pod takes the place of a less important one', async () => {
  await using cluster = await clusterWithScheduler(3);
  await makeNode(cluster, 'n1', '1');
  await cluster.client.resource(priorityClasses).create({ metadata: { name: 'high' }, value: 1000 });
  await podsOf(cluster).create(pod('low', '1', { terminationGracePeriodSeconds: 30 }));
  await nodeOf(cluster, 'low');
  await podsOf(cluster).create(pod('urgent', '1', { priorityClassName: 'high' }));
  await cluster.until(async () => (await podsOf(cluster).get('low')).metadata.deletionTimestamp, {
    what: 'the victim to go',
  });
  const waiting = await podsOf(cluster).get('urgent');
  const told = await cluster.until(async () => (await podsOf(cluster).get('urgent')).status?.nominatedNodeName);
  assert.equal(told, 'n1', JSON.stringify(waiting.status));
  const victim = await podsOf(cluster).get('low');
  assert.equal(
    victim.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason,
    'PreemptionByScheduler',
  );
  // There is no kubelet that would finish the deletion.
  await podsOf(cluster).delete('low', { gracePeriodSeconds: 0 });
  assert.equal(await nodeOf(cluster, 'urgent'), 'n1');
});

test('a gated pod waits until its last gate is lifted', async () => {
  await using cluster = await clusterWithScheduler(4);
  await makeNode(cluster, 'n1', '1');
  await podsOf(cluster).create(pod('gated', '1', { schedulingGates: [{ name: 'example.com/wait' }] }));
  await cluster.advance('10s');
  assert.equal((await scheduledCondition(cluster, 'gated'))?.reason, 'SchedulingGated');
  await podsOf(cluster).patch('gated', { spec: { schedulingGates: null } }, { type: 'merge' });
  assert.equal(await nodeOf(cluster, 'gated'), 'n1');
});

test('a pod that needs a feature goes to a node that declares it, and waits until there is one', async () => {
  await using cluster = await clusterWithScheduler(6);
  await makeNode(cluster, 'old', '8');
  const restartPolicyRules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [1] } }];
  const containers = [{ name: 'a', image: 'web:1', restartPolicy: 'Never', restartPolicyRules }];
  await podsOf(cluster).create({ metadata: { name: 'p' }, spec: { containers, restartPolicy: 'Never' } } as Pod);
  await podsOf(cluster).create(pod('plain', '100m'));
  assert.equal(await nodeOf(cluster, 'plain'), 'old');
  const refused = await cluster.until(async () => {
    const condition = await scheduledCondition(cluster, 'p');
    return condition?.status === 'False' ? condition : undefined;
  });
  assert.match(refused.message ?? '', /^0\/1 nodes are available: 1 node\(s\) didn't match Pod's required features\./);
  const status = { declaredFeatures: ['RestartAllContainersOnContainerExits'] };
  await cluster.client.resource(nodes).subresource('status').patch('old', { status }, { type: 'merge' });
  assert.equal(await nodeOf(cluster, 'p'), 'old');
});

test('many pods fill many nodes evenly', async () => {
  await using cluster = await clusterWithScheduler(5);
  for (let i = 0; i < 5; i++) await makeNode(cluster, `n${i}`, '4');
  await Promise.all(Array.from({ length: 40 }, (_, i) => podsOf(cluster).create(pod(`p${i}`, '500m'))));
  await cluster.until(async () => (await podsOf(cluster).list()).items.every(({ spec }) => spec?.nodeName));
  const counts = new Map<string, number>();
  for (const { spec } of (await podsOf(cluster).list()).items) {
    counts.set(spec?.nodeName ?? '', (counts.get(spec?.nodeName ?? '') ?? 0) + 1);
  }
  assert.deepEqual([...counts.values()], [8, 8, 8, 8, 8]);
});

test('it stops at once, with pods waiting and time standing still', async () => {
  await using cluster = await clusterWithScheduler(6);
  await makeNode(cluster, 'n1', '1');
  await podsOf(cluster).create(pod('waiting', '2'));
});
