import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, prepareCluster } from './cluster.ts';

describe('a start that cannot work says why in one sentence, and leaves nothing', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  before(
    async () => {
      cluster = await prepareCluster({ images: ['busybox'] });
    },
    { timeout: 120_000 },
  );
  after(() => cluster?.dispose());

  /** Runs it to its end, behind other words; gives its one line. */
  const refused = async (before: readonly string[], ...args: readonly string[]): Promise<string> => {
    const command = [...before, ...cluster.command(...args)];
    const { code, stdout, stderr } = await cluster.host.exec(command, { check: false, timeoutMs: 30_000 });
    assert.notEqual(code, 0, stdout);
    const said = stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('tutti: '));
    assert.equal(said.length, 1, stderr);
    assert.doesNotMatch(stderr, /this is a bug|^ +at /m);
    const left = cluster.host.pids().length - (await idle());
    assert.ok(left <= 0, 'a process is left');
    assert.equal((await cluster.host.exec('nft list tables')).stdout, '');
    return said[0]!;
  };
  let processes: number | undefined;
  const idle = async () => {
    processes ??= (await cluster.host.connect(1).catch(() => undefined), cluster.host.pids().length);
    return processes;
  };

  test('the port of the API server is in use', async () => {
    await idle();
    const server = await cluster.host.listen(6443);
    assert.match(await refused([]), /^tutti: Port 6443 on 0\.0\.0\.0 is in use by another program; .*--port\.$/);
    server.close();
  });

  test('the port of the kubelet is in use', async () => {
    const server = await cluster.host.listen(10_250);
    assert.match(await refused([]), /^tutti: Port 10250, the kubelet's, is in use: /);
    server.close();
  });

  test('the machine has no address', async () => {
    assert.match(
      await refused(['unshare', '--net']),
      /^tutti: This machine has no address besides loopback.*--node-ip\.$/,
    );
  });

  test('the address of the node is not this machine’s', async () => {
    const said = await refused([], '--node-ip', '198.51.100.7');
    assert.match(said, /^tutti: 198\.51\.100\.7 is no address of this machine; give one of its own with --node-ip\.$/);
  });

  test('the user is not root', async () => {
    const said = await refused(['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups']);
    assert.match(said, /^tutti: Real containers need root, and this is user 1000; .*--simulate/);
  });

  test('root lacks a capability', async () => {
    const said = await refused(['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']);
    assert.match(said, /^tutti: Real containers need CAP_NET_ADMIN, .*--simulate/);
  });

  test('the kernel has no controller of memory', async () => {
    const hidden = 'mount -t tmpfs none /sys/fs/cgroup/memory || exit 1; exec "$@"';
    // Version 2 has one tree: there nothing can be taken away.
    const tree = 'mount -t tmpfs none /sys/fs/cgroup; echo cpu pids > /sys/fs/cgroup/cgroup.controllers; exec "$@"';
    const isSecond =
      (await cluster.host.exec('test -e /sys/fs/cgroup/cgroup.controllers', { check: false })).code === 0;
    const said = await refused(['unshare', '--mount', 'sh', '-c', isSecond ? tree : hidden, 'sh']);
    assert.match(
      said,
      /^tutti: Real containers need the cgroup controller memory, which .*cgroup_enable=memory.*--simulate/,
    );
  });

  test('no runtime answers at the address given', async () => {
    const said = await refused([], '--cri-endpoint', 'unix:///run/nobody.sock');
    assert.match(said, /^tutti: No container runtime answers at unix:\/\/\/run\/nobody\.sock \(ENOENT\); start it/);
  });

  test('the configuration file is broken', async () => {
    const file = join(cluster.host.folder, 'broken.yaml');
    writeFileSync(file, 'port: [\n');
    assert.match(await refused([], '--config', file), /^tutti: --config .*broken\.yaml cannot be read: /);
  });

  test('the configuration of the kubelet has what nobody reads', async () => {
    const file = join(cluster.host.folder, 'kubelet.yaml');
    writeFileSync(file, 'kind: KubeletConfiguration\ntopologyManagerPolicy: restricted\n');
    const said = await refused([], '--kubelet-config', file);
    assert.match(said, /^tutti: --kubelet-config \S+: there is no field "topologyManagerPolicy" that Tutti reads\.$/);
  });

  test('the folder cannot be written', async () => {
    const folder = join(cluster.host.folder, 'file');
    writeFileSync(folder, '');
    assert.match(await refused([], '--data-dir', folder), /^tutti: /);
  });

  test('simulated nodes need no root', async () => {
    const folder = join(cluster.host.folder, 'simulated');
    mkdirSync(folder, { mode: 0o777 });
    await cluster.host.exec(['chown', '1000:1000', folder]);
    const user = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', 'env', `HOME=${folder}`];
    const program = cluster.host.spawn([...user, ...cluster.command('--simulate', '2', '--data-dir', folder)]);
    try {
      await program.waitFor('\nkubeconfig: ', 20_000);
      assert.match(program.output, /simulation +2 nodes/);
      assert.ok(existsSync(join(folder, 'admin.kubeconfig')));
    } finally {
      await program.stop();
    }
  });
});
