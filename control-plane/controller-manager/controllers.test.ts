import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  configMaps,
  deployments,
  events,
  namespaces,
  nodes,
  pods,
  replicaSets,
  serviceAccounts,
} from '../../api/resources.ts';
import type { Deployment } from '../../api/types/apps/v1.generated.ts';
import { type Cluster, createCluster } from '../../testing/create-cluster.ts';

const deployment = (name: string, replicas: number, image = 'app:1'): Deployment => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'a', image }] } },
  },
});

async function inDefault(cluster: Cluster) {
  const deploymentClient = cluster.client.resource(deployments).namespace('default');
  const podClient = cluster.client.resource(pods).namespace('default');
  const setClient = cluster.client.resource(replicaSets).namespace('default');
  const podsOf = async (image: string) => {
    const { items } = await podClient.list();
    return items.filter((pod) => !pod.metadata.deletionTimestamp && pod.spec?.containers[0]?.image === image);
  };
  /** Plays the kubelet: every pod runs and is ready. */
  const runAll = async () => {
    for (const pod of (await podClient.list()).items) {
      if (pod.status?.phase === 'Running') continue;
      const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: pod.metadata.creationTimestamp }];
      const patch = { status: { phase: 'Running', conditions } };
      await podClient.subresource('status').patch(pod.metadata.name, patch, { type: 'merge' });
    }
  };
  return { deploymentClient, podClient, setClient, podsOf, runAll };
}

test('a Deployment makes a ReplicaSet and its pods, follows its scale, and is gone with all of it', async () => {
  await using cluster = await createCluster({ seed: 1 });
  const { deploymentClient, setClient, podsOf, runAll } = await inDefault(cluster);
  await deploymentClient.create(deployment('web', 3));
  await cluster.until(async () => (await podsOf('app:1')).length === 3);
  await runAll();
  await cluster.until(async () => (await deploymentClient.get('web')).status?.availableReplicas === 3);
  const { status, metadata } = await deploymentClient.get('web');
  assert.deepEqual(status?.conditions?.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`).sort(), [
    'Available True MinimumReplicasAvailable',
    'Progressing True NewReplicaSetAvailable',
  ]);
  assert.equal(metadata.annotations?.['deployment.kubernetes.io/revision'], '1');

  await deploymentClient.patch('web', { spec: { replicas: 1 } }, { type: 'merge' });
  await cluster.until(async () => (await podsOf('app:1')).length === 1);
  const told = (await cluster.client.resource(events).namespace('default').list()).items
    .filter(({ involvedObject }) => involvedObject.kind === 'Deployment')
    .map(({ message }) => message?.replace(/web-\w+/, 'SET'));
  assert.deepEqual(told, ['Scaled up replica set SET from 0 to 3', 'Scaled down replica set SET from 3 to 1']);

  await deploymentClient.delete('web', { propagationPolicy: 'Background' });
  await cluster.until(async () => (await podsOf('app:1')).length + (await setClient.list()).items.length === 0);
});

test('a new image is rolled out without ever having too few or too many', async () => {
  await using cluster = await createCluster({ seed: 2 });
  const { deploymentClient, podClient, setClient, podsOf, runAll } = await inDefault(cluster);
  await deploymentClient.create(deployment('web', 4));
  await cluster.until(async () => (await podsOf('app:1')).length === 4);
  await runAll();
  await cluster.until(async () => (await deploymentClient.get('web')).status?.availableReplicas === 4);
  const template = { spec: { containers: [{ name: 'a', image: 'app:2' }] } };
  await deploymentClient.patch('web', { spec: { template } }, { type: 'merge' });
  await cluster.until(async () => {
    const { items } = await podClient.list();
    const live = items.filter((pod) => !pod.metadata.deletionTimestamp);
    const ready = live.filter((pod) => pod.status?.phase === 'Running');
    assert.ok(live.length <= 5, `${live.length} pods`);
    assert.ok(ready.length >= 3, `${ready.length} ready`);
    await runAll();
    return (await deploymentClient.get('web')).status?.conditions?.some(
      ({ reason, message }) =>
        reason === 'NewReplicaSetAvailable' &&
        live.every((pod) => pod.spec?.containers[0]?.image === 'app:2') &&
        message,
    );
  });
  const sizes = (await setClient.list()).items.map(({ spec, metadata }) => [
    metadata.annotations?.['deployment.kubernetes.io/revision'],
    spec?.replicas,
  ]);
  assert.deepEqual(sizes.sort(), [
    ['1', 0],
    ['2', 4],
  ]);
});

test('nothing of a namespace is touched before its pods are gone', async () => {
  await using cluster = await createCluster({ nodes: 1 });
  const all = cluster.client.resource(namespaces);
  await all.create({ metadata: { name: 'blue' }, spec: {} });
  const [maps, own] = [
    cluster.client.resource(configMaps).namespace('blue'),
    cluster.client.resource(pods).namespace('blue'),
  ];
  await cluster.until(() => cluster.client.resource(serviceAccounts).namespace('blue').get('default'));
  await maps.create({ metadata: { name: 'needed' } });
  const metadata = { name: 'slow', finalizers: ['example.com/stay'] };
  await own.create({ metadata, spec: { containers: [{ name: 'a', image: 'i' }] } });
  await all.delete('blue');
  const remaining = await cluster.until(async () => {
    const { status } = await all.get('blue');
    return status?.conditions?.find(({ type, status: is }) => type === 'NamespaceContentRemaining' && is === 'True');
  });
  assert.equal(remaining.message, 'Some resources are remaining: pods. has 1 resource instances');
  assert.notEqual((await own.get('slow')).metadata.deletionTimestamp, undefined);
  await cluster.advance('1m');
  assert.equal((await maps.get('needed')).metadata.deletionTimestamp, undefined);
  await own.patch('slow', { metadata: { finalizers: null } }, { type: 'merge' });
  await cluster.until(async () => (await all.list()).items.every(({ metadata: { name } }) => name !== 'blue'));
});

test('a namespace gets its account and authority, and goes with all that is in it', async () => {
  await using cluster = await createCluster({ seed: 3 });
  await cluster.client.resource(namespaces).create({ metadata: { name: 'blue' }, spec: {} });
  const maps = cluster.client.resource(configMaps).namespace('blue');
  await cluster.until(() => cluster.client.resource(serviceAccounts).namespace('blue').get('default'));
  await cluster.until(() => maps.get('kube-root-ca.crt'));
  await maps.create({ metadata: { name: 'held', finalizers: ['example.com/hold'] } });
  await cluster.client.resource(namespaces).delete('blue');
  const remaining = await cluster.until(async () => {
    const { status } = await cluster.client.resource(namespaces).get('blue');
    return status?.conditions?.find(({ type, status: is }) => type === 'NamespaceFinalizersRemaining' && is === 'True');
  });
  assert.match(remaining.message ?? '', /example\.com\/hold in 1 resource instances/);
  await maps.patch('held', { metadata: { finalizers: null } }, { type: 'merge' });
  await cluster.until(async () =>
    (await cluster.client.resource(namespaces).list()).items.every(({ metadata }) => metadata.name !== 'blue'),
  );
});

test('what has lost its owner goes, unless the owner let it go or still lives', async () => {
  await using cluster = await createCluster({ seed: 4 });
  const maps = cluster.client.resource(configMaps).namespace('default');
  const owner = await maps.create({ metadata: { name: 'owner' } });
  const owned = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
  await maps.create({ metadata: { name: 'child', ownerReferences: [owned] } });
  await maps.create({ metadata: { name: 'stranger', ownerReferences: [{ ...owned, uid: 'another' }] } });
  const names = async () =>
    (await maps.list()).items.map(({ metadata }) => metadata.name).filter((name) => !name.startsWith('kube-'));
  await cluster.until(async () => (await names()).join() === 'child,owner');
  await maps.delete('owner', { propagationPolicy: 'Orphan' });
  await cluster.until(async () => (await names()).join() === 'child');
  assert.deepEqual((await maps.get('child')).metadata.ownerReferences ?? [], []);
});

test('a cluster may go without controllers', async () => {
  await using cluster = await createCluster({ seed: 5, components: [] });
  const { items } = await cluster.client.resource(nodes).list();
  assert.deepEqual(items, []);
  await cluster.advance('1m');
  assert.deepEqual((await cluster.client.resource(serviceAccounts).list()).items, [], 'no controller runs');
});
