import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configMaps, leases, nodes } from '../../api/resources.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { REAL_NODE, realNodeOfSuite } from '../fixtures/real-node.ts';
import type { NetworkHost } from '../harness/namespace.ts';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';

// What goes wrong on nodes, with a real runtime and a real kernel; the same in virtual time:
// node/kubelet/bad-days.test.ts. Commands that are missing, memory that runs out and images that nobody has:
// node/kubelet/containerd.test.ts and tests/e2e/pods.test.ts. Starts that cannot work: tests/e2e/bad-start.test.ts.

const NEEDS = ['root', 'containerd', 'images', 'kubectl'] as const;

describe('bad days of pods', requires(...NEEDS), () => {
  const suite = realNodeOfSuite({ config: { podPidsLimit: 60, syncFrequencyMs: 1_000 } });

  test('a registry that hangs holds up its own pod alone, and not its end', async () => {
    const { node } = suite;
    await node.create('first', ['stay']);
    await node.ready('first');
    using _hangs = node.registry.fault('none', { kind: 'hang' });
    await node.create('hangs', [], {}, { image: 'docker.io/library/none:1' });
    await node.toldOf('hangs', /^Normal Pulling: Pulling image "docker\.io\/library\/none:1"$/);
    await node.create('beside', ['stay']);
    await node.ready('beside');
    const { status } = await node.get('hangs');
    assert.equal(status?.containerStatuses?.[0]?.state?.waiting?.reason, 'ContainerCreating');
    await node.api.delete('hangs');
    await node.gone('hangs');
    await node.remove('first', 'beside');
  });

  test('who forks without end hits the limit of its pod, and nobody else notices', async () => {
    const { node } = suite;
    await node.create('beside', ['stay']);
    await node.create('forks', ['fork', '300'], { restartPolicy: 'Never' });
    await node.ready('beside');
    const { status } = await node.phase('forks', 'Failed');
    assert.notEqual(status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
    const { stdout } = await node.kubectl('logs forks');
    assert.match(stdout, /forked 50\n(?:.*\n)*.*(?:can't fork|Cannot fork|Resource temporarily unavailable)/);
    assert.doesNotMatch(stdout, /forked 60/);
    assert.equal((await node.kubectl('exec beside -- sh -c true')).code, 0);
    await node.remove('beside', 'forks');
  });

  test('a volume whose ConfigMap comes late', async () => {
    const { node } = suite;
    const volumes = [{ name: 'settings', configMap: { name: 'late' } }];
    const volumeMounts = [{ name: 'settings', mountPath: '/settings' }];
    await node.create('late', ['stay'], { volumes }, { volumeMounts });
    await node.toldOf(
      'late',
      /^Warning FailedMount: MountVolume\.SetUp failed for volume "settings" : configmap "late" not found$/,
    );
    const made = { metadata: { name: 'late' }, data: { a: 'came' } };
    await node.cluster.client.resource(configMaps).namespace('default').create(made);
    await node.ready('late');
    assert.equal((await node.kubectl('exec late -- cat /settings/a')).stdout, 'came');
    await node.remove('late');
  });

  test('a port that another process has is told by who wanted it', async () => {
    const { node } = suite;
    const server = await node.host.listen(18_099);
    const container = { command: ['nc', '-l', '-p', '18099', '-e', 'true'] };
    await node.create('taken', [], { hostNetwork: true, restartPolicy: 'Never' }, container);
    const { status } = await node.phase('taken', 'Failed');
    assert.equal(status?.containerStatuses?.[0]?.state?.terminated?.reason, 'Error');
    assert.match((await node.kubectl('logs taken')).stdout, /Address already in use/);
    server.close();
    await node.remove('taken');
  });

  test('what the kernel lacks is refused in upstream’s words', async (t) => {
    const { node } = suite;
    const armed = (await node.host.exec('cat /sys/module/apparmor/parameters/enabled', { check: false })).stdout;
    if (armed.startsWith('Y')) return t.skip('this kernel has AppArmor');
    await node.create('armed', ['stay'], { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } });
    const { status } = await node.phase('armed', 'Failed');
    assert.equal(status?.reason, 'AppArmor');
    assert.match(status?.message ?? '', /Cannot enforce AppArmor: AppArmor is not enabled on the host/);
    await node.remove('armed');
  });
});

/** The machine's clock, whose wall time can be set. */
class SetClock extends RealClock {
  aheadMs = 0;
  override now(): number {
    return super.now() + this.aheadMs;
  }
}

describe('a wall clock that is set', requires(...NEEDS), () => {
  const clock = new SetClock();
  const suite = realNodeOfSuite({ clock, config: { nodeLeaseDurationSeconds: 4, syncFrequencyMs: 1_000 } });

  test('ends nothing, holds up nothing, and is followed', { timeout: 90_000 }, async () => {
    const { node } = suite;
    const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 1 };
    await node.create('steady', ['stay'], {}, { livenessProbe });
    const before = await node.ready('steady');
    const leaseOf = async () => {
      const { items } = await node.cluster.client.resource(leases).namespace('kube-node-lease').list();
      return Date.parse(items.find(({ metadata }) => metadata.name === REAL_NODE)?.spec?.renewTime ?? '');
    };
    for (const byMs of [3_600_000, -1_800_000]) {
      clock.aheadMs += byMs;
      await until('the lease tells the new time', async () => Math.abs((await leaseOf()) - clock.now()) < 5_000);
      const name = `crashes-${Math.abs(byMs)}`;
      await node.create(name, ['exit', '1']);
      await node.pod(name, 'waits after its first restart', ({ status }) => {
        const [one] = status?.containerStatuses ?? [];
        return one?.restartCount === 1 && one.state?.waiting?.reason === 'CrashLoopBackOff';
      });
      const again = await node.pod(
        name,
        'is restarted in its time',
        ({ status }) => status?.containerStatuses?.[0]?.restartCount === 2,
      );
      assert.ok(again);
      const after = await node.ready('steady');
      const idOf = ({ status }: typeof before) => status?.containerStatuses?.[0]?.containerID;
      assert.equal(idOf(after), idOf(before), `after a jump of ${byMs} ms`);
      const { status } = await node.cluster.client.resource(nodes).get(REAL_NODE);
      assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
      await node.remove(name);
    }
    await node.remove('steady');
  });
});

/** A small file system at a folder of the host, in the host's own mounts. */
async function smallDisk(host: NetworkHost, folder: string, megabytes: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await host.exec(['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'small', folder]);
}

describe('disks that are full', requires(...NEEDS), () => {
  const suite = realNodeOfSuite({
    images: ['behave', 'kubia'],
    config: { evictionHard: {}, syncFrequencyMs: 1_000 },
    async prepare(host) {
      await smallDisk(host, join(host.folder, 'containerd/root'), 96);
      await smallDisk(host, join(host.folder, 'kubelet'), 24);
    },
  });

  test('an image for which there is no room is a failed pull that says so, and what runs goes on', async () => {
    const { node } = suite;
    await node.create('runs', ['stay']);
    const before = await node.ready('runs');
    await node.create('large', [], {}, { image: 'docker.io/library/kubia:latest' });
    await node.toldOf('large', /^Warning Failed: Failed to pull image ".*kubia:latest": .*no space left on device/);
    await node.pod(
      'large',
      'waits',
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff',
    );
    const after = await node.get('runs');
    assert.equal(after.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID);
    await node.remove('large', 'runs');
  });

  test('a volume for which there is no room says so, and comes when there is', async () => {
    const { node } = suite;
    await node.cluster.client
      .resource(configMaps)
      .namespace('default')
      .create({ metadata: { name: 'settings' }, data: { a: 'b'.repeat(100_000) } });
    const filler = join(node.host.folder, 'kubelet/filler');
    await node.host.exec(`dd if=/dev/zero of=${filler} bs=4k 2>/dev/null || :`);
    const volumes = [{ name: 'settings', configMap: { name: 'settings' } }];
    const volumeMounts = [{ name: 'settings', mountPath: '/settings' }];
    await node.create('mounts', ['stay'], { volumes }, { volumeMounts });
    await node.toldOf('mounts', /^Warning (FailedMount|FailedCreatePodSandBox): .*(ENOSPC|no space left on device)/);
    await node.host.exec(`rm ${filler}`);
    await node.ready('mounts');
    await node.remove('mounts');
  });

  test('who fills the disk of the node is evicted, and the node says how it is', { timeout: 120_000 }, async () => {
    const { node } = suite;
    await node.stopKubelet();
    await node.startKubelet({
      evictionHard: { 'nodefs.available': '8Mi' },
      evictionPressureTransitionPeriodMs: 1_000,
    });
    await node.create('modest', ['stay']);
    await node.ready('modest');
    const fill = 'dd if=/dev/zero of=/scratch/file bs=1M count=20 2>/dev/null; sleep 3600';
    await node.create(
      'greedy',
      [],
      { volumes: [{ name: 'scratch', emptyDir: {} }] },
      {
        command: ['sh', '-c', fill],
        volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
      },
    );
    const { status } = await node.phase('greedy', 'Failed', 60_000);
    assert.equal(status?.reason, 'Evicted');
    assert.match(
      status?.message ?? '',
      /^The node was low on resource: ephemeral-storage\. Threshold quantity: 8Mi, available: /,
    );
    const condition = async () =>
      (await node.cluster.client.resource(nodes).get(REAL_NODE)).status?.conditions?.find(
        ({ type }) => type === 'DiskPressure',
      );
    await until('the node says so', async () => (await condition())?.reason === 'KubeletHasDiskPressure', {
      timeoutMs: 20_000,
    }).catch(() => {});
    const told = await node.toldOf(REAL_NODE, /^Normal NodeHasDiskPressure: /);
    assert.match(told, /status is now: NodeHasDiskPressure$/);
    await node.remove('greedy');
    await until('it is over', async () => (await condition())?.status === 'False', { timeoutMs: 40_000 });
    const { status: kept } = await node.get('modest');
    assert.equal(kept?.phase, 'Running', 'who took little stays');
    await node.remove('modest');
  });
});
