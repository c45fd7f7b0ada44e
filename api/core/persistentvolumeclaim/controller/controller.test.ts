import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../../resources.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/core/v1.generated.ts';
import type { Volume } from '../../persistentvolume/controller/match.ts';
import { plan as planVolume } from '../../persistentvolume/controller/protection.ts';
import { plan as planEphemeral } from './ephemeral.ts';
import { plan } from './protection.ts';

const GOING = { deletionTimestamp: '2026-01-01T00:00:00Z' };

const pod = (node: string | undefined, ...volumes: object[]) =>
  ({ metadata: { name: 'p', namespace: 'n', uid: 'pu' }, spec: { nodeName: node, volumes } }) as unknown as Live<Pod>;
const claim = (metadata: object, owner?: string) =>
  ({
    metadata: {
      name: 'p-e',
      namespace: 'n',
      ...(owner ? { ownerReferences: [{ kind: 'Pod', name: 'p', uid: owner, controller: true }] } : {}),
      ...metadata,
    },
  }) as unknown as Live<PersistentVolumeClaim>;
const given = { name: 'v', persistentVolumeClaim: { claimName: 'p-e' } };
const own = {
  name: 'e',
  ephemeral: { volumeClaimTemplate: { metadata: { labels: { l: 'm' } }, spec: { storageClassName: 's' } } },
};
const PROTECTED = { finalizers: ['kubernetes.io/pvc-protection', 'x'] };

test('a claim goes when no pod uses it', () => {
  const cases: [string, Live<PersistentVolumeClaim>, Live<Pod>[], string | undefined][] = [
    ['as it should be', claim(PROTECTED), [], undefined],
    ['made before there was protection', claim({}), [], 'protect kubernetes.io/pvc-protection'],
    ['nobody uses it', claim({ ...PROTECTED, ...GOING }), [], 'release x'],
    ['a pod runs with it', claim({ ...PROTECTED, ...GOING }), [pod('a', given)], undefined],
    ['a pod has no node yet', claim({ ...PROTECTED, ...GOING }), [pod(undefined, given)], 'release x'],
    ['made for the pod', claim({ ...PROTECTED, ...GOING }, 'pu'), [pod('a', own)], undefined],
    ['made for its predecessor', claim({ ...PROTECTED, ...GOING }, 'old'), [pod('a', own)], 'release x'],
    ['let go already', claim({ ...GOING, finalizers: ['x'] }), [], undefined],
  ];
  for (const [what, one, all, wanted] of cases) {
    const [action] = plan({ claim: one, pods: all }).actions;
    assert.equal(action && `${action.type} ${action.finalizers}`, wanted, what);
  }
});

test('a volume goes when no claim has it', () => {
  const volume = (metadata: object, phase: string) =>
    ({ metadata: { name: 'v', ...metadata }, status: { phase } }) as unknown as Volume;
  const PV = { finalizers: ['kubernetes.io/pv-protection'] };
  const finalizers = (one: Volume, bareMs = 500) =>
    planVolume({ volume: one, bareSinceMs: 1000 - bareMs }, 1000).actions[0]?.finalizers;
  assert.equal(finalizers(volume(PV, 'Bound')), undefined);
  assert.deepEqual(finalizers(volume({}, 'Available')), PV.finalizers);
  assert.equal(finalizers(volume({}, 'Available'), 499), undefined, 'it may be deleted next');
  assert.equal(finalizers(volume({ ...PV, ...GOING }, 'Bound')), undefined);
  assert.deepEqual(finalizers(volume({ ...PV, ...GOING }, 'Released')), []);
});

test('a pod’s own volumes get claims of their own', () => {
  const look = (one: Live<Pod>, ...there: Live<PersistentVolumeClaim>[]) =>
    planEphemeral({ pod: one, claims: new Map(there.map((each) => [each.metadata.name, each])) }).actions;
  const [made] = look(pod('a', own, given));
  assert.ok(made?.type === 'create');
  assert.deepEqual([made.claim.metadata.name, made.claim.metadata.labels], ['p-e', { l: 'm' }]);
  assert.equal(made.claim.metadata.ownerReferences?.[0]?.uid, 'pu');
  assert.deepEqual(look(pod('a', own), claim({}, 'pu')), []);
  const [refused] = look(pod('a', own), claim({}, 'other'));
  assert.match(
    refused?.type === 'refuse' ? refused.message : '',
    /PVC n\/p-e was not created for pod n\/p \(pod is not owner\)/,
  );
  assert.deepEqual(look({ ...pod('a', own), metadata: { ...pod('a').metadata, ...GOING } } as Live<Pod>), []);
});

test('a pod waits for its claim, the claim for the pod, and each outlives who uses it', async () => {
  await using cluster = await createCluster({ seed: 'claims', components: ['controller-manager', 'scheduler'] });
  const claims = cluster.client.resource(persistentVolumeClaims).namespace('default');
  const volumes = cluster.client.resource(persistentVolumes);
  const inDefault = cluster.client.resource(pods).namespace('default');
  for (const name of ['near', 'far']) {
    await cluster.client
      .resource(nodes)
      .create({ metadata: { name, labels: { 'kubernetes.io/hostname': name } }, spec: {} });
    const status = {
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date(cluster.clock.now()).toISOString() }],
    };
    await cluster.client.resource(nodes).subresource('status').patch(name, { status }, { type: 'merge' });
  }
  await cluster.client.resource(storageClasses).create({
    metadata: { name: 'local' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  const term = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['far'] }] };
  await volumes.create({
    metadata: { name: 'disk' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local',
      local: { path: '/mnt/disk' },
      nodeAffinity: { required: { nodeSelectorTerms: [term] } },
    },
  });
  await claims.create({
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'local', resources: { requests: { storage: '1Gi' } } },
  });
  await cluster.advance('5s');
  assert.equal((await claims.get('data')).status?.phase, 'Pending');

  await inDefault.create({
    metadata: { name: 'db' },
    spec: {
      containers: [{ name: 'a', image: 'db' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
    },
  });
  assert.equal(await cluster.until(async () => (await inDefault.get('db')).spec?.nodeName), 'far');
  assert.equal((await claims.get('data')).spec?.volumeName, 'disk');
  assert.equal((await volumes.get('disk')).status?.phase, 'Bound');

  await claims.delete('data');
  await volumes.delete('disk');
  await cluster.advance('5s');
  assert.ok((await claims.get('data')).metadata.deletionTimestamp, 'the pod has it');
  await inDefault.delete('db', { gracePeriodSeconds: 0 });
  await cluster.until(async () => (await claims.list()).items.length + (await volumes.list()).items.length === 0);
});
