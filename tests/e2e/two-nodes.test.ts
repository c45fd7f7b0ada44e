import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cgroupRoots } from '../harness/leftovers.ts';
import type { NetworkHost } from '../harness/namespace.ts';
import { type RunningProgram, until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';
import { movable } from './movable.ts';

describe('two nodes', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  let second: NetworkHost;
  let agent: RunningProgram;
  const manifests = () => join(second.folder, 'manifests');
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 30_000 });

  before(
    async () => {
      cluster = await startCluster({ others: 1 });
      second = cluster.network.hosts[1]!;
    },
    { timeout: 240_000 },
  );
  after(async () => {
    await agent?.stop(12_000);
    await cluster?.dispose();
  });

  test('a wrong token is refused before anything is started', async () => {
    const token = (await cluster.tutti('token create --quiet')).stdout.trim();
    const [id, secret, pin] = token.split('.');
    const server = `https://${cluster.host.address}:6443`;
    const refused = async (text: string) => {
      const command = cluster.agentCommand(second, '--server', server, '--token', text);
      const { code, stderr } = await second.exec(command, { check: false });
      assert.equal(code, 1);
      return stderr;
    };
    const another = `${id}.${secret}.${'A'.repeat(43)}`;
    assert.match(await refused(another), /^tutti: https:\S+ is not the cluster that the token is for: /m);
    const unknown = `${id}.${'0'.repeat(16)}.${pin}`;
    assert.match(await refused(unknown), /^tutti: https:\S+ does not know the token, or no longer: /m);
    assert.equal(existsSync(join(second.folder, 'tutti/cluster.json')), false);
    assert.equal((await second.exec('nft list tables')).stdout, '');
  });

  test('a second machine joins with a token', async () => {
    agent = await cluster.join(second);
    assert.match(await kubectl('get nodes -o wide'), /^node-2 +Ready .*172\.30\.0\.12 .*containerd:\/\//m);
    assert.match(await kubectl('get csr'), /kubelet-serving .*Approved,Issued/);
  });

  test('pods of both nodes are reached through the API server', async () => {
    await cluster.kubectl.apply(movable('kubia', 4));
    await kubectl('rollout status deployment/kubia --timeout=60s');
    const { items } = await cluster.kubectl.json('get pods -l app=kubia');
    assert.deepEqual([...new Set(items.map((pod: any) => pod.spec.nodeName))].sort(), ['node-1', 'node-2']);
    for (const { metadata } of items) {
      await cluster.heard(metadata.name, 'Kubia server starting');
      assert.equal(await kubectl(`exec ${metadata.name} -- hostname`), metadata.name);
    }
  });

  test('pods talk to pods of the other node by address, Service and name', async () => {
    await kubectl('expose deployment kubia --port=80 --target-port=8080');
    const { items } = await cluster.kubectl.json('get pods -l app=kubia');
    for (const name of ['node-1', 'node-2']) {
      const pod = { containers: [{ name: 'asks', image: 'busybox', command: ['sleep', '3600'] }], nodeName: name };
      await cluster.kubectl.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: `asks-${name}` }, spec: pod });
    }
    await kubectl('wait pod/asks-node-1 pod/asks-node-2 --for=condition=Ready --timeout=60s');
    const get = (from: string, address: string, port: number) =>
      cluster.kubectl.run(
        ['exec', `asks-${from}`, '--', 'sh', '-c', `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} ${port}`],
        { check: false, timeoutMs: 10_000 },
      );
    for (const from of ['node-1', 'node-2']) {
      for (const { metadata, status } of items) {
        const { stdout } = await get(from, status.podIP, 8080);
        assert.match(stdout, new RegExp(`You've hit ${metadata.name}`), `${from} to ${metadata.name}`);
      }
      const seen = new Set<string>();
      await until(
        `${from} reaches all pods by name`,
        async () => {
          const { stdout } = await get(from, 'kubia.default.svc.cluster.local', 80);
          const hit = /You've hit (\S+)/.exec(stdout)?.[1];
          if (hit) seen.add(hit);
          return seen.size === items.length;
        },
        { timeoutMs: 20_000 },
      );
    }
    const { endpoints } = await cluster.kubectl.json('get endpointslice kube-dns-node-2 -n kube-system');
    assert.deepEqual([endpoints[0].addresses, endpoints[0].conditions.ready], [['172.30.0.12'], true]);
  });

  test('a node port of either node leads to all pods', async () => {
    await kubectl('expose deployment kubia --type=NodePort --port=80 --target-port=8080 --name=kubia-port');
    const { spec } = await cluster.kubectl.json('get service kubia-port');
    for (const host of [cluster.host, second]) {
      const body = await cluster.bodyOf(`http://${host.address}:${spec.ports[0].nodePort}/`);
      assert.match(body, /^You've hit kubia-/);
    }
  });

  test('the agent comes back without a token, and finds its pods as they were', async () => {
    const idsOf = async () =>
      (await cluster.kubectl.json('get pods -l app=kubia')).items.map(
        (pod: any) => pod.status.containerStatuses[0].containerID,
      );
    const before = await idsOf();
    agent.kill('SIGKILL');
    await agent.wait();
    mkdirSync(manifests());
    agent = second.spawn(cluster.agentCommand(second, '--pod-manifest-path', manifests()), {
      logFile: join(second.folder, 'tutti.log'),
    });
    await agent.waitFor(' is ready\n', 60_000);
    assert.match(agent.output, /containerd +taken over as it ran/);
    assert.deepEqual((await idsOf()).sort(), before.sort());
  });

  test('a server that does not answer keeps no manifest of the other node from being run, changed and ended', async () => {
    const write = (...args: string[]) =>
      writeFileSync(
        join(manifests(), 'alone.json'),
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'alone' },
          spec: {
            terminationGracePeriodSeconds: 1,
            hostNetwork: true,
            containers: [{ name: 'main', image: 'behave', imagePullPolicy: 'IfNotPresent', args }],
          },
        }),
      );
    const runs = (words: string) => async () =>
      (await second.exec(['pgrep', '-f', `behave ${words}`], { check: false })).code === 0;
    process.kill(cluster.pid, 'SIGSTOP');
    try {
      write('serve', '18301');
      await until('the pod runs', runs('serve 18301'), { timeoutMs: 40_000 });
      write('serve', '18302');
      await until('its successor runs', runs('serve 18302'), { timeoutMs: 40_000 });
      assert.equal(await runs('serve 18301')(), false);
    } finally {
      process.kill(cluster.pid, 'SIGCONT');
    }
    await kubectl('wait pod/alone-node-2 --for=create --timeout=60s');
    await kubectl('wait pod/alone-node-2 --for=condition=Ready --timeout=60s');
    rmSync(join(manifests(), 'alone.json'));
    await until('it has ended', async () => !(await runs('serve 18302')()), { timeoutMs: 30_000 });
    await kubectl('wait pod/alone-node-2 --for=delete --timeout=60s');
  });

  test('the server is killed and started again, and the other node goes on by itself', async () => {
    await cluster.kill();
    await cluster.start();
    await kubectl('scale deployment kubia --replicas=6');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    const { items } = await cluster.kubectl.json('get pods -l app=kubia --field-selector=spec.nodeName=node-2');
    assert.ok(items.length > 2, `${items.length} pods`);
    for (const { metadata } of items) {
      assert.equal(await kubectl(`exec ${metadata.name} -- hostname`), metadata.name);
    }
    assert.equal(agent.running, true);
  });

  test('Ctrl-C on the agent leaves nothing on its machine', async () => {
    agent.kill('SIGINT');
    assert.deepEqual((await agent.wait(12_000)).code, 0, agent.output);
    const left = async (command: string) => (await second.exec(command, { check: false })).stdout.trim();
    const dataDir = join(second.folder, 'tutti');
    assert.deepEqual(
      {
        namespaces: readdirSync(second.path('/run/netns')),
        mounts: await left(`grep -c -e ${dataDir} -e /run/containerd /proc/self/mountinfo`),
        tables: await left('nft list tables'),
        links: await left('ip -o link show | grep -c -e cni0 -e veth.*master -e vxlan'),
        routes: await left('ip route show | grep -v "dev eth0 proto kernel"'),
        cgroups: cgroupRoots().filter(({ path }) => existsSync(join(path, second.cgroupParent, 'kubepods'))),
      },
      { namespaces: [], mounts: '0', tables: '', links: '0', routes: '', cgroups: [] },
    );
    agent = second.spawn(cluster.agentCommand(second), { logFile: join(second.folder, 'tutti.log') });
    await agent.waitFor(' is ready\n', 60_000);
    await kubectl('rollout status deployment/kubia --timeout=60s');
  });
});
