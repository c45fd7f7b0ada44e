import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { events, persistentVolumeClaims, persistentVolumes, pods } from '../../../api/resources.ts';
import type { PersistentVolumeSpec } from '../../../api/types/core/v1.generated.ts';
import { silentLogger } from '../../../libs/base/log.ts';
import { isNotFound } from '../../../libs/machinery/errors.ts';
import { type ControlPlane, startControlPlane } from '../../../tests/fixtures/control-plane.ts';
import { type KubeletFixture, startKubeletOn } from '../../../tests/fixtures/kubelet.ts';
import { type Containerd, startContainerd, writeCniConfiguration } from '../../../tests/harness/containerd.ts';
import { hostOf } from '../../../tests/harness/host.ts';
import { buildImages } from '../../../tests/harness/images.ts';
import { createNetwork, type Network } from '../../../tests/harness/namespace.ts';
import { until } from '../../../tests/harness/process.ts';
import { type Registry, startRegistry } from '../../../tests/harness/registry.ts';
import { requires } from '../../../tests/harness/requirements.ts';

const BUSYBOX = 'docker.io/library/busybox:latest';
const NODE = 'node-1';

describe('volumes behind claims with a real container runtime', requires('root', 'containerd', 'images'), () => {
  let network: Network;
  let registry: Registry;
  let containerd: Containerd;
  let cluster: ControlPlane;
  let fixture: KubeletFixture;

  const claims = () => cluster.client.resource(persistentVolumeClaims).namespace('default');
  const volumes = () => cluster.client.resource(persistentVolumes);
  const inDefault = () => cluster.client.resource(pods).namespace('default');

  before(
    async () => {
      const store = await buildImages(['pause', 'busybox']);
      network = await createNetwork({ hosts: 1 });
      registry = await startRegistry(store, network.hub);
      writeCniConfiguration(network.hosts[0]!, '10.244.1.0/24');
      containerd = await startContainerd(network.hosts[0]!, { registry });
      cluster = await startControlPlane({ sockets: hostOf(network.hosts[0]!).sockets, log: silentLogger });
      fixture = await startKubeletOn(containerd, cluster, { nodeName: NODE, log: silentLogger });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await fixture?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await registry?.close();
    await network?.dispose();
  });

  const claim = (name: string) =>
    claims().create({
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', resources: { requests: { storage: '1Gi' } } },
    });
  /** Plays the volume controller. */
  const bind = async (name: string, source: PersistentVolumeSpec, annotations: Record<string, string> = {}) => {
    const { metadata } = await claims().get(name);
    await volumes().create({
      metadata: { name: `pv-${name}`, annotations },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        claimRef: { namespace: 'default', name, uid: metadata.uid },
        ...source,
      },
    });
    await claims().patch(name, { spec: { volumeName: `pv-${name}` } }, { type: 'merge' });
    await claims()
      .subresource('status')
      .patch(name, { status: { phase: 'Bound' } }, { type: 'merge' });
  };
  const run = (name: string, command: string, mount: object, volume: object, securityContext: object = {}) =>
    inDefault().create({
      metadata: { name },
      spec: {
        nodeName: NODE,
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        securityContext,
        containers: [
          {
            name: 'main',
            image: BUSYBOX,
            imagePullPolicy: 'IfNotPresent',
            command: ['sh', '-c', command],
            volumeMounts: [{ name: 'v', mountPath: '/data', ...mount }],
          },
        ],
        volumes: [{ name: 'v', ...volume }],
      },
    });
  const phase = (name: string) =>
    until(`${name} has ended`, async () => {
      const { status } = await inDefault().get(name);
      return ['Succeeded', 'Failed'].includes(status?.phase ?? '') && status?.phase;
    });
  const affinity = {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [NODE] }] }],
    },
  };

  test('a pod waits for its claim, writes as its group, and the next one reads it', async () => {
    const path = join(containerd.host.folder, 'disks', 'a');
    await claim('a');
    const volume = { persistentVolumeClaim: { claimName: 'a' } };
    const user = { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 };
    await run('writer', 'mkdir /data/d && echo kept > /data/d/row && id -G', {}, volume, user);
    const told = await until('the event that says why', async () =>
      (await cluster.client.resource(events).namespace('default').list()).items.find(
        ({ reason, involvedObject }) => reason === 'FailedMount' && involvedObject.name === 'writer',
      ),
    );
    assert.match(told.message ?? '', /error processing PVC default\/a: PVC is not bound/);
    await bind('a', { local: { path }, nodeAffinity: affinity }, { 'volume.tutti.io/directory-mode': '0770' });
    assert.equal(await phase('writer'), 'Succeeded');
    assert.equal(readFileSync(join(path, 'd/row'), 'utf8'), 'kept\n');
    const { uid, gid } = statSync(join(path, 'd/row'));
    assert.deepEqual([uid, gid], [1000, 2000], 'what is made has the group of the volume');

    await run('reader', 'test "$(cat /data/row)" = kept && ! touch /data/x', { subPath: 'd', readOnly: true }, volume);
    assert.equal(await phase('reader'), 'Succeeded');
    await run(
      'locked',
      'test -f /data/d/row && ! touch /data/x',
      {},
      { persistentVolumeClaim: { claimName: 'a', readOnly: true } },
    );
    assert.equal(await phase('locked'), 'Succeeded');
    for (const name of ['writer', 'reader', 'locked']) {
      await inDefault().delete(name);
      await until(`${name} is gone`, () =>
        inDefault()
          .get(name)
          .then(() => false, isNotFound),
      );
    }
    assert.ok(existsSync(join(path, 'd/row')), 'data outlives pods');
  });

  test('a folder of the host behind a claim', async () => {
    const path = join(containerd.host.folder, 'disks', 'b');
    await mkdir(join(containerd.host.folder, 'disks'), { recursive: true });
    await claim('b');
    await bind('b', { hostPath: { path, type: 'DirectoryOrCreate' } });
    await run('host', 'echo x > /data/deep', { subPath: 'new/sub' }, { persistentVolumeClaim: { claimName: 'b' } });
    assert.equal(await phase('host'), 'Succeeded');
    assert.equal(readFileSync(join(path, 'new/sub/deep'), 'utf8'), 'x\n');
  });
});
