import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { persistentVolumeClaims, persistentVolumes } from '../../../api/resources.ts';
import type { PersistentVolumeSpec } from '../../../api/types/core/v1.generated.ts';
import { REAL_NODE, realNodeOfSuite } from '../../../tests/fixtures/real-node.ts';
import { until } from '../../../tests/harness/process.ts';
import { requires } from '../../../tests/harness/requirements.ts';

const BUSYBOX = 'docker.io/library/busybox:latest';

describe('volumes behind claims with a real container runtime', requires('root', 'containerd', 'images'), () => {
  const suite = realNodeOfSuite({ images: [] });

  const claims = () => suite.node.cluster.client.resource(persistentVolumeClaims).namespace('default');
  const volumes = () => suite.node.cluster.client.resource(persistentVolumes);

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
    suite.node.api.create({
      metadata: { name },
      spec: {
        nodeName: REAL_NODE,
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
      const { status } = await suite.node.get(name);
      return ['Succeeded', 'Failed'].includes(status?.phase ?? '') && status?.phase;
    });
  const affinity = {
    required: {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [REAL_NODE] }] },
      ],
    },
  };

  test('a pod waits for its claim, writes as its group, and the next one reads it', async () => {
    const path = join(suite.node.host.folder, 'disks', 'a');
    await claim('a');
    const volume = { persistentVolumeClaim: { claimName: 'a' } };
    const user = { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 };
    await run('writer', 'mkdir /data/d && echo kept > /data/d/row && id -G', {}, volume, user);
    await suite.node.toldOf('writer', /FailedMount: .*error processing PVC default\/a: PVC is not bound/);
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
    await suite.node.remove('writer', 'reader', 'locked');
    assert.ok(existsSync(join(path, 'd/row')), 'data outlives pods');
  });

  test('a folder of the host behind a claim', async () => {
    const path = join(suite.node.host.folder, 'disks', 'b');
    await mkdir(join(suite.node.host.folder, 'disks'), { recursive: true });
    await claim('b');
    await bind('b', { hostPath: { path, type: 'DirectoryOrCreate' } });
    await run('host', 'echo x > /data/deep', { subPath: 'new/sub' }, { persistentVolumeClaim: { claimName: 'b' } });
    assert.equal(await phase('host'), 'Succeeded');
    assert.equal(readFileSync(join(path, 'new/sub/deep'), 'utf8'), 'x\n');
  });

  test('what is made in a folder of the pod’s own has the pod’s group, on the disk and in memory', async () => {
    for (const [name, emptyDir] of Object.entries({ disk: {}, memory: { medium: 'Memory' } })) {
      const script = 'touch /data/f && test "$(stat -c "%a %g" /data /data/f | xargs)" = "2777 2000 644 2000"';
      await run(`own-${name}`, script, {}, { emptyDir }, { runAsUser: 1000, fsGroup: 2000 });
      assert.equal(await phase(`own-${name}`), 'Succeeded', name);
    }
    await suite.node.remove('own-disk', 'own-memory');
  });

  test('a medium of huge pages is of a size that the pod asks for', async () => {
    const huge = (name: string, medium: string) =>
      run(name, 'stat -f -c %T /data', {}, { emptyDir: { medium } }).then(() => suite.node.toldOf(name, /FailedMount/));
    await huge('huge', 'HugePages');
    await suite.node.toldOf('huge', /no container of the pod asks for huge pages of the medium HugePages/);
    await huge('huge-2mi', 'HugePages-2Mi');
    await suite.node.remove('huge', 'huge-2mi');
  });
});
