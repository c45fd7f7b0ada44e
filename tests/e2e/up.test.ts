import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupRoots } from '../harness/leftovers.ts';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';

/** The process that keeps a pod's containers. */
async function sandboxShim(cluster: E2eCluster, pod: string): Promise<number> {
  const { metadata } = await cluster.kubectl.json(`get pod ${pod}`);
  const pids = cluster.host.pids().filter((pid) => commandOf(pid).includes('containerd-shim'));
  const mine = pids.find((pid) => {
    // Of a pod that ends just now, any of these may be gone.
    const children = textOf(`/proc/${pid}/task/${pid}/children`).split(' ');
    return children.some((child) => textOf(`/proc/${child}/cgroup`).includes(`/pod${metadata.uid}/`));
  });
  assert.ok(mine, `the shim of ${pod}`);
  return mine;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const commandOf = (pid: number): string => textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');

describe('tutti up', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  const kubectl = (args: string, input?: string) =>
    cluster.kubectl.text(args, { timeoutMs: 30_000, ...(input !== undefined && { input }) });
  const podOf = (app: string) => kubectl(`get pods -l app=${app} -o jsonpath={.items[0].metadata.name}`);

  before(
    async () => {
      cluster = await startCluster();
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  test('the node is ready, and the cluster says where it is', async () => {
    assert.match(await kubectl('get nodes -o wide'), /^node-1 +Ready .*172\.30\.0\.11 .*containerd:\/\//m);
    assert.match(await kubectl('cluster-info'), /control plane.* is running at .*https:\/\/127\.0\.0\.1:6443/);
    assert.match(await kubectl('api-resources'), /^deployments +deploy +apps\/v1 +true +Deployment$/m);
  });

  test('a deployment rolls out, and its pod says what happened', async () => {
    await kubectl('create deployment kubia --image=kubia --port=8080');
    assert.match(await kubectl('rollout status deployment/kubia --timeout=60s'), /successfully rolled out/);
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) {
      const words = new RegExp(`^ +Normal +${reason} `, 'm');
      await until(`an event says ${reason}`, async () => words.test(await kubectl('describe pod -l app=kubia')));
    }
  });

  test('logs, exec and port-forward reach the pod', async () => {
    const pod = await podOf('kubia');
    await cluster.heard(pod, 'Kubia server starting');
    assert.equal(await kubectl(`exec ${pod} -- hostname`), pod);
    assert.equal(await kubectl(`exec -i ${pod} -- cat`, 'to and fro'), 'to and fro');
    await using forward = cluster.kubectl.spawn(`port-forward ${pod} 18080:8080`);
    await forward.waitFor('Forwarding from 127.0.0.1');
    assert.equal(await cluster.bodyOf('http://127.0.0.1:18080/'), `You've hit ${pod}\n`);
  });

  test('the service is reached by ClusterIP, NodePort and address of the load balancer', async () => {
    const pod = await podOf('kubia');
    const { host } = cluster;
    await kubectl('expose deployment kubia --type=LoadBalancer --name kubia-http');
    await kubectl(
      'wait service/kubia-http --for=jsonpath={.status.loadBalancer.ingress[0].ip}=172.30.0.11 --timeout=10s',
    );
    const { spec } = await cluster.kubectl.json('get service kubia-http');
    for (const url of [
      `http://${spec.clusterIP}:8080/`,
      `http://${host.address}:${spec.ports[0].nodePort}/`,
      `http://${host.address}:8080/`,
    ]) {
      assert.equal(await cluster.bodyOf(url), `You've hit ${pod}\n`, url);
    }
  });

  test('another pod finds it by name, and the API server too', async () => {
    const pod = await podOf('kubia');
    await kubectl('run asks --image=busybox --command -- sleep 3600');
    await kubectl('wait pod/asks --for=condition=Ready --timeout=60s');
    const resolved = await kubectl('exec asks -- nslookup -type=a kubia-http.default.svc.cluster.local');
    const ip = await kubectl('get service kubia-http -o jsonpath={.spec.clusterIP}');
    assert.ok(resolved.includes(ip), resolved);
    const words = ['exec', 'asks', '--', 'sh', '-c', "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc kubia-http 8080"];
    assert.match((await cluster.kubectl.run(words)).stdout, new RegExp(`You've hit ${pod}`));
    // The API server takes no plain HTTP, and says so: that is an answer of its own.
    const api = [
      'exec',
      'asks',
      '--',
      'sh',
      '-c',
      "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc kubernetes.default 443 | head -c1 | wc -c",
    ];
    assert.match((await cluster.kubectl.run(api)).stdout, /^[01]$/m);
  });

  test('strangers get no answer of the cluster’s DNS', async () => {
    const socket = await cluster.network.hub.connect(10_053, cluster.host.address);
    socket.on('error', () => undefined);
    const ended = once(socket, 'close');
    socket.resume();
    await ended;
    const own = await cluster.host.connect(10_053, cluster.host.address);
    assert.equal(own.destroyed, false);
    own.destroy();
  });

  test('a second start on the same data says so, and harms nothing', async () => {
    const second = await cluster.host.exec(cluster.command(), { check: false });
    assert.equal(second.code, 1);
    assert.match(second.stderr, /^tutti: The cluster in .* runs already, as process \d+; stop that one/m);
    assert.match(await kubectl('get nodes'), /node-1 +Ready/);
  });

  test('after kill -9 the next start takes over what runs, and has all that was acknowledged', async () => {
    const pod = await podOf('kubia');
    const statusOf = async (name: string) => {
      const { status } = await cluster.kubectl.json(`get pod ${name}`);
      return { id: status.containerStatuses[0].containerID, restarts: status.containerStatuses[0].restartCount };
    };
    const before = await statusOf(pod);
    const ip = await kubectl('get service kubia-http -o jsonpath={.spec.clusterIP}');
    await kubectl('create configmap last --from-literal=word=acknowledged');
    await cluster.kill();
    // As if that had happened before it noted which containerd it has started.
    rmSync(join(cluster.dataDir, 'containerd/pid'));
    assert.equal(await cluster.bodyOf(`http://${ip}:8080/`), `You've hit ${pod}\n`, 'pods and Services go on');
    await cluster.start();
    assert.match(cluster.output, /containerd +taken over as it ran/);
    assert.equal(await kubectl('get configmap last -o jsonpath={.data.word}'), 'acknowledged');
    await kubectl(`annotate pod ${pod} seen=yes`);
    await until('the kubelet has seen it', async () => (await statusOf(pod)).id === before.id);
    assert.deepEqual(await statusOf(pod), before);
    await kubectl('create deployment after --image=behave --port=8080');
    await kubectl('rollout status deployment/after --timeout=60s');
  });

  test('containerd killed is started again, and pods do not notice', async () => {
    const pod = await podOf('kubia');
    const idOf = () => kubectl(`get pod ${pod} -o jsonpath={.status.containerStatuses[0].containerID}`);
    const id = await idOf();
    const pid = Number(readFileSync(join(cluster.dataDir, 'containerd/pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await kubectl('create deployment later --image=behave');
    await kubectl('rollout status deployment/later --timeout=60s');
    assert.equal(await idOf(), id);
    assert.equal(await kubectl(`exec ${pod} -- hostname`), pod);
    await kubectl('delete deployment later');
  });

  test('kill -9 of tutti, containerd and a shim at once: the next start mends what is broken, and keeps the rest', async () => {
    const pod = await podOf('kubia');
    const other = await podOf('after');
    const idOf = (name: string) => kubectl(`get pod ${name} -o jsonpath={.status.containerStatuses[0].containerID}`);
    const [kept, broken] = [await idOf(pod), await idOf(other)];
    const containerd = Number(readFileSync(join(cluster.dataDir, 'containerd/pid'), 'utf8'));
    const shim = await sandboxShim(cluster, other);
    await cluster.kill();
    for (const pid of [containerd, shim]) process.kill(pid, 'SIGKILL');
    await cluster.start();
    await until('the broken pod runs again', async () => {
      const id = await idOf(other);
      return id !== broken && id !== '';
    });
    await kubectl('rollout status deployment/after --timeout=60s');
    assert.equal(await idOf(pod), kept);
  });

  test('Ctrl-C ends everything within ten seconds and leaves nothing running', async () => {
    const { host } = cluster;
    const { code, ms } = await cluster.interrupt();
    assert.equal(code, 0, cluster.output);
    assert.ok(ms < 10_000, `${ms} ms`);
    const left = async (command: string) => (await host.exec(command, { check: false })).stdout.trim();
    assert.deepEqual(
      {
        processes: host
          .pids()
          .map(commandOf)
          .filter((command) => !command.includes('harness/agent')),
        namespaces: readdirSync(host.path('/run/netns')),
        mounts: await left(`grep -c -e ${cluster.dataDir} -e /run/containerd /proc/self/mountinfo`),
        tables: await left('nft list tables'),
        links: await left('ip -o link show | grep -c -e cni0 -e veth.*master -e vxlan'),
        addresses: readdirSync(host.path('/var/lib/cni/networks')),
        results: readdirSync(host.path('/var/lib/cni/results')),
        routes: await left('ip route show | grep -v "dev eth0 proto kernel"'),
        cgroups: cgroupRoots().filter(({ path }) => existsSync(join(path, host.cgroupParent, 'kubepods'))),
      },
      {
        processes: [],
        namespaces: [],
        mounts: '0',
        tables: '',
        links: '0',
        addresses: [],
        results: [],
        routes: '',
        cgroups: [],
      },
    );
  });

  test('the next start has the same objects, and their pods run again', async () => {
    await cluster.start();
    await kubectl('rollout status deployment/kubia --timeout=60s');
    const pod = await podOf('kubia');
    const ip = await kubectl('get service kubia-http -o jsonpath={.spec.clusterIP}');
    assert.equal(await cluster.bodyOf(`http://${ip}:8080/`), `You've hit ${pod}\n`);
  });

  test('a second Ctrl-C gives pods no more time, and leaves as little behind', async () => {
    await cluster.runningContainer('asks');
    process.kill(cluster.pid, 'SIGINT');
    await until('it stops', () => cluster.output.includes('SIGINT: stopping'));
    // What comes within a second is taken for the same one, passed on by npm or a shell.
    process.kill(cluster.pid, 'SIGINT');
    await sleep(1_100);
    assert.doesNotMatch(cluster.output, /again/);
    const { code } = await cluster.interrupt();
    assert.equal(code, 0, cluster.output);
    // `asks` sleeps as the first process of its container: it hears no SIGTERM.
    assert.match(cluster.output, /SIGINT again: without grace\n(?!.*could not be ended)/);
    assert.equal((await cluster.host.exec('nft list tables')).stdout, '');
    assert.deepEqual(readdirSync(cluster.host.path('/run/netns')), []);
    await cluster.start();
  });

  test('--keep-pods leaves pods running, and the next start takes them over', async () => {
    const pod = await podOf('kubia');
    const ip = await kubectl('get service kubia-http -o jsonpath={.spec.clusterIP}');
    const before = await cluster.runningContainer(pod);
    await cluster.interrupt();
    await cluster.start('--keep-pods');
    const restarted = await cluster.runningContainer(pod);
    assert.notEqual(restarted, before);
    // Services stay as they are when it ends: it is to end when they lead to the pod's new address.
    assert.equal(await cluster.bodyOf(`http://${ip}:8080/`), `You've hit ${pod}\n`);
    assert.equal((await cluster.interrupt('SIGTERM')).code, 0);
    assert.equal(await cluster.bodyOf(`http://${ip}:8080/`), `You've hit ${pod}\n`);
    await cluster.start();
    assert.match(cluster.output, /containerd +taken over as it ran/);
    await kubectl(`annotate --overwrite pod ${pod} seen=again`);
    assert.equal(await cluster.runningContainer(pod), restarted);
  });

  test('--detach returns once it runs, and a signal ends it', async () => {
    await cluster.interrupt();
    const { stdout } = await cluster.host.exec(cluster.command('--detach'), { timeoutMs: 60_000 });
    const pid = Number(/kill (\d+) stops it/.exec(stdout)?.[1]);
    assert.match(await kubectl('get nodes'), /node-1 +Ready/);
    await cluster.host.exec(['kill', String(pid)]);
    await until('it has ended', () => commandOf(pid) === '', { timeoutMs: 12_000 });
    assert.equal((await cluster.host.exec('nft list tables')).stdout, '');
  });
});
