import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { events, nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../api/resources.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../api/types/core/v1.generated.ts';
import type { StorageClass } from '../../api/types/storage/v1.generated.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { FixedKeys } from '../../libs/base/node/fixed-keys.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import type { Live } from '../../libs/kind/object.ts';
import { type Cluster, createCluster } from '../../testing/create-cluster.ts';
import { startLocalPathFolders } from './folders.ts';
import { plan } from './plan.ts';
import { startLocalPath } from './provisioner.ts';

const CLASS = { metadata: { name: 'local-path' }, provisioner: 'tutti.io/local-path' } as unknown as Live<StorageClass>;
const node = (annotations: object = {}) =>
  ({ metadata: { name: 'n', labels: { 'kubernetes.io/hostname': 'n.lan' }, annotations } }) as unknown as Live<Node>;
const claim = (spec: object = {}, annotations: object = {}) =>
  ({
    metadata: {
      name: 'c',
      namespace: 'default',
      uid: 'cu',
      annotations: { 'volume.kubernetes.io/storage-provisioner': 'tutti.io/local-path', ...annotations },
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local-path',
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  }) as unknown as Live<PersistentVolumeClaim>;

test('what is made for which claim', () => {
  const selected = { 'volume.kubernetes.io/selected-node': 'n' };
  const told = (one: Live<PersistentVolumeClaim>, on: Live<Node> | undefined = node()) =>
    plan({ claim: one, storageClass: CLASS, node: on, directory: '/data' }).actions.map((action) =>
      action.type === 'provision'
        ? action.volume.spec?.local?.path
        : action.type === 'refuse'
          ? action.message
          : action.type,
    );
  assert.deepEqual(told(claim()), ['/data/pvc-cu']);
  assert.deepEqual(told(claim(), node({ 'volume.tutti.io/local-path-directory': '/own' })), ['/own/pvc-cu']);
  assert.deepEqual(told(claim({ volumeName: 'v' })), []);
  assert.deepEqual(told(claim({}, { 'volume.kubernetes.io/storage-provisioner': 'example.com/p' })), []);
  const gone = plan({ claim: claim({}, selected), storageClass: CLASS, node: undefined, directory: '/d' });
  assert.equal(gone.actions[0]?.type, 'reschedule');
  const refused: [object, RegExp][] = [
    [{ accessModes: ['ReadWriteMany'] }, /cannot be ReadWriteMany/],
    [{ volumeMode: 'Block' }, /no block device/],
    [{ selector: {} }, /Selector is not supported/],
    [{ dataSource: { kind: 'PersistentVolumeClaim', name: 'x' } }, /from another one/],
  ];
  for (const [spec, wanted] of refused) assert.match(String(told(claim(spec))), wanted);
  const immediate = plan({ claim: claim(), storageClass: CLASS, node: undefined, directory: '/d' }).actions[0];
  assert.match(immediate?.type === 'refuse' ? immediate.message : '', /needs volumeBindingMode WaitForFirstConsumer/);
});

test('which volumes go', () => {
  const volume = (phase: string, policy: string, by = 'tutti.io/local-path') =>
    ({
      metadata: { name: 'v', annotations: { 'pv.kubernetes.io/provisioned-by': by } },
      spec: { persistentVolumeReclaimPolicy: policy },
      status: { phase },
    }) as unknown as Live<PersistentVolume>;
  const count = (one: Live<PersistentVolume>) => plan({ volume: one }).actions.length;
  assert.equal(count(volume('Released', 'Delete')), 1);
  assert.equal(count(volume('Released', 'Retain')), 0);
  assert.equal(count(volume('Bound', 'Delete')), 0);
  assert.equal(count(volume('Released', 'Delete', 'example.com/p')), 0);
});

async function addNode(cluster: Cluster, name: string) {
  await cluster.client
    .resource(nodes)
    .create({ metadata: { name, labels: { 'kubernetes.io/hostname': name } }, spec: {} });
  const room = { cpu: '4', memory: '8Gi', pods: '110' };
  const conditions = [
    { type: 'Ready', status: 'True', lastHeartbeatTime: new Date(cluster.clock.now()).toISOString() },
  ];
  const status = { capacity: room, allocatable: room, conditions };
  await cluster.client.resource(nodes).subresource('status').patch(name, { status }, { type: 'merge' });
}

test('a pod with a claim gets a folder on its node, which goes with the claim', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'local-path-'));
  await using cluster = await createCluster({ seed: 'local-path', components: ['controller-manager', 'scheduler'] });
  const around = { clock: cluster.clock, random: new SeededRandom('x'), keys: new FixedKeys('x'), log: silentLogger };
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-system'];
  const account = await cluster.clientAs({ name: 'system:serviceaccount:kube-system:local-path-provisioner', groups });
  const provisioner = await startLocalPath({ ...around, client: account, directory: '/elsewhere' });
  await addNode(cluster, 'n');
  const kubelet = await cluster.clientAs({ name: 'system:node:n', groups: ['system:nodes'] });
  const host = createNodeHost();
  const folders = startLocalPathFolders({ ...around, client: kubelet, host, nodeName: 'n', directory });
  try {
    await folders.started;
    const [own = ''] = await readdir(directory);
    const claims = cluster.client.resource(persistentVolumeClaims).namespace('default');
    const inDefault = cluster.client.resource(pods).namespace('default');
    // No class is named: the default is the cluster's own.
    await claims.create({
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    await inDefault.create({
      metadata: { name: 'db' },
      spec: {
        containers: [{ name: 'a', image: 'db' }],
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      },
    });
    assert.equal(await cluster.until(async () => (await inDefault.get('db')).spec?.nodeName), 'n');
    const { spec } = await claims.get('data');
    assert.equal(spec?.storageClassName, 'local-path');
    const volume = await cluster.client.resource(persistentVolumes).get(spec?.volumeName ?? '');
    const path = volume.spec?.local?.path ?? '';
    assert.equal(path, join(directory, own, volume.metadata.name));

    // What the kubelet does, and what the pod leaves.
    await mkdir(path);
    await writeFile(join(path, 'row'), 'data');
    await mkdir(join(directory, own, 'not-ours-to-judge'));
    await inDefault.delete('db', { gracePeriodSeconds: 0 });
    await cluster.advance('10s');
    assert.deepEqual(await readdir(path), ['row'], 'data outlives pods');
    await claims.delete('data');
    await cluster.until(async () => (await cluster.client.resource(persistentVolumes).list()).items.length === 0);
    await cluster.until(async () => (await readdir(join(directory, own))).join() === 'not-ours-to-judge');
    const told = (await cluster.client.resource(events).namespace('default').list()).items
      .filter(({ involvedObject }) => involvedObject.name === 'data')
      .map(({ reason }) => reason);
    assert.deepEqual(
      ['Provisioning', 'ProvisioningSucceeded'].filter((reason) => !told.includes(reason)),
      [],
    );
  } finally {
    await folders.stop();
    await provisioner.stop();
    await rm(directory, { recursive: true });
  }
});

test('volumes that went while the node was down leave nothing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'local-path-'));
  await using cluster = await createCluster({ seed: 'down' });
  const around = { clock: cluster.clock, random: new SeededRandom('x'), keys: new FixedKeys('x'), log: silentLogger };
  await addNode(cluster, 'n');
  const client = await cluster.clientAs({ name: 'system:node:n', groups: ['system:nodes'] });
  const start = () => startLocalPathFolders({ ...around, client, host: createNodeHost(), nodeName: 'n', directory });
  try {
    const first = start();
    await first.started;
    await first.stop();
    const [own = ''] = await readdir(directory);
    await mkdir(join(directory, own, 'pvc-gone'));
    await mkdir(join(directory, 'another-cluster', 'pvc-x'), { recursive: true });
    const folders = start();
    await cluster.until(async () => (await readdir(join(directory, own))).length === 0);
    assert.deepEqual(await readdir(join(directory, 'another-cluster')), ['pvc-x']);
    await folders.stop();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a node that is stopped before it is known has begun nothing', async () => {
  await using cluster = await createCluster({ seed: 'early', components: [] });
  const around = { clock: cluster.clock, random: new SeededRandom('x'), keys: new FixedKeys('x'), log: silentLogger };
  const client = await cluster.clientAs({ name: 'system:node:n', groups: ['system:nodes'] });
  const directory = await mkdtemp(join(tmpdir(), 'local-path-'));
  const folders = startLocalPathFolders({ ...around, client, host: createNodeHost(), nodeName: 'n', directory });
  const started = assert.rejects(folders.started, /no longer kept/);
  await folders.stop();
  await started;
  await rm(directory, { recursive: true });
});

test('the class is made once, and stays as it was changed', async () => {
  await using cluster = await createCluster({ seed: 'class', components: [] });
  const around = { clock: cluster.clock, random: new SeededRandom('x'), keys: new FixedKeys('x'), log: silentLogger };
  const start = () => startLocalPath({ ...around, client: cluster.client, directory: '/d' });
  await (await start()).stop();
  const classes = cluster.client.resource(storageClasses);
  await classes.patch('local-path', { metadata: { annotations: null } }, { type: 'merge' });
  await (await start()).stop();
  assert.equal((await classes.get('local-path')).metadata.annotations, undefined);
});
