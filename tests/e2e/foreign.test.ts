import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Containerd, startContainerd, writeCniConfiguration } from '../harness/containerd.ts';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, prepareCluster } from './cluster.ts';

/** A machine whose owner has a container runtime, containers and a pod network already. */
describe('tutti up beside what others run', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  let containerd: Containerd;
  const NAMESPACES = ['k8s.io', 'others'] as const;
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 40_000 });
  const ctr = (namespace: string, ...args: string[]) =>
    cluster.host.exec(['ctr', '--address', containerd.socket, '--namespace', namespace, ...args]);
  const pids = async () => {
    const found: string[] = [];
    for (const namespace of NAMESPACES) {
      const { stdout } = await ctr(namespace, 'tasks', 'list');
      found.push(
        new RegExp(`^foreign-${namespace} +(\\d+) +RUNNING$`, 'm').exec(stdout)?.[1] ?? `none in ${namespace}`,
      );
    }
    return found;
  };
  let before_: string[];
  const tasks = async () => (await ctr('k8s.io', 'tasks', 'list', '--quiet')).stdout.trim().split('\n');

  before(
    async () => {
      cluster = await prepareCluster({ images: ['pause', 'busybox', 'behave', 'kubia'] });
      const { host, registry } = cluster;
      writeCniConfiguration(host, '10.77.0.0/24');
      containerd = await startContainerd(host, { registry });
      const image = 'docker.io/library/behave:latest';
      for (const namespace of NAMESPACES) {
        await ctr(namespace, 'images', 'pull', '--hosts-dir', `${host.folder}/containerd/registries`, image);
        const name = `foreign-${namespace}`;
        const cgroup = ['--cgroup', `${host.cgroupParent}/${name}`];
        await ctr(namespace, 'run', '--detach', '--net-host', ...cgroup, image, name, 'behave', 'stay');
      }
      before_ = await pids();
      await cluster.start('--cri-endpoint', containerd.endpoint);
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  test('pods have addresses of the network that was there, and answer', async () => {
    await kubectl('run web --image=kubia --port=8080');
    await kubectl('wait pod/web --for=condition=Ready --timeout=30s');
    const ip = await kubectl('get pod web -o jsonpath={.status.podIP}');
    assert.match(ip, /^10\.77\.0\.\d+$/);
    assert.equal(await cluster.bodyOf(`http://${ip}:8080/`), "You've hit web\n");
    assert.deepEqual(readdirSync(cluster.host.path('/etc/cni/net.d')), ['10-test.conflist']);
  });

  test('Ctrl-C ends the pods, and neither the containers nor the network nor the runtime of others', async () => {
    assert.equal((await cluster.interrupt()).code, 0, cluster.output);
    assert.deepEqual(await tasks(), ['foreign-k8s.io']);
    assert.deepEqual(await pids(), before_);
    assert.ok(containerd.pid > 0);
    assert.deepEqual(readdirSync(cluster.host.path('/etc/cni/net.d')), ['10-test.conflist']);
    assert.match((await cluster.host.exec('ip -o link show cni0')).stdout, /cni0/);
  });

  test('and so does reset, after a kill', async () => {
    await cluster.start('--cri-endpoint', containerd.endpoint);
    await until('the pod runs again', async () => (await tasks()).length > 1);
    await cluster.kill();
    await cluster.tutti('reset --yes', { timeoutMs: 60_000 });
    assert.deepEqual(await tasks(), ['foreign-k8s.io']);
    assert.deepEqual(await pids(), before_);
    assert.deepEqual(readdirSync(cluster.host.path('/etc/cni/net.d')), ['10-test.conflist']);
    const { stdout } = await ctr('k8s.io', 'containers', 'list', '--quiet');
    assert.deepEqual(stdout.trim().split('\n'), ['foreign-k8s.io'], 'nothing of the pods is remembered');
  });
});
