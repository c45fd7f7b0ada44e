import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { CriClient } from '../../node/cri/cri.ts';
import { criClientOf, runBarePod } from './bare-pod.ts';
import { type Containerd, startContainerd, writeCniConfiguration } from './containerd.ts';
import { buildImages, PAUSE_IMAGE } from './images.ts';
import { cgroupRoots } from './leftovers.ts';
import { createNetwork, type Network } from './namespace.ts';
import { until } from './process.ts';
import { type Registry, startRegistry } from './registry.ts';
import { requires } from './requirements.ts';

const BEHAVE = 'docker.io/library/behave:latest';

describe('a pod by bare calls of the CRI', requires('root', 'containerd', 'images'), () => {
  let network: Network;
  let registry: Registry;
  let containerd: Containerd;
  let client: CriClient;
  before(
    async () => {
      const store = await buildImages(['pause', 'busybox', 'behave']);
      network = await createNetwork({ hosts: 2 });
      registry = await startRegistry(store, network.hub);
      writeCniConfiguration(network.hosts[0]!, '10.244.1.0/24');
      await network.hosts[1]!.exec(['ip', 'route', 'add', '10.244.1.0/24', 'via', network.hosts[0]!.address]);
      containerd = await startContainerd(network.hosts[0]!, { registry });
      client = criClientOf(containerd);
      await client.pullImage({ image: { image: BEHAVE } });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await client?.close();
    await registry?.close();
    await network?.dispose();
  });

  test('runs, logs, and is reached from the other host under its own name', async () => {
    const pod = await runBarePod(client, containerd, { name: 'web', image: BEHAVE, args: ['serve', '8080'] });
    assert.match(pod.ip, /^10\.244\.1\.\d+$/);
    const url = `http://${pod.ip}:8080/`;
    const answer = await until('the pod answers', () => network.hosts[1]!.fetch(url).catch(() => undefined));
    assert.equal(answer.body, 'web\n');
    await pod.remove();
    await assert.rejects(network.hosts[1]!.fetch(url, { timeoutMs: 1_000 }));
  });

  test('writes what it prints into its log file, and ends with its code', async () => {
    const pod = await runBarePod(client, containerd, { name: 'exits', image: BEHAVE, args: ['exit', '3', '0.1'] });
    const status = async () => (await client.containerStatus({ containerId: pod.containerId })).status;
    await until('it ended', async () => (await status())?.state === 'CONTAINER_EXITED');
    assert.equal((await status())?.exitCode, 3);
    await pod.remove();

    const logs = await runBarePod(client, containerd, { name: 'logs', image: BEHAVE, args: ['log', '2'] });
    const lines = await until('four lines', () => {
      const text = existsSync(logs.logFile) ? readFileSync(logs.logFile, 'utf8') : '';
      return text.split('\n').length > 4 && text;
    });
    assert.deepEqual(
      lines
        .trim()
        .split('\n')
        .map((line) => line.replace(/^\S+ /, ''))
        .sort(),
      ['stderr F problem 1', 'stderr F problem 2', 'stdout F line 1', 'stdout F line 2'],
    );
    await logs.remove();
  });

  test('removed leaves no process, cgroup, address or network namespace', async () => {
    const { host } = containerd;
    const addresses = async (): Promise<string> =>
      (await host.exec('ls /var/lib/cni/networks/test | grep ^10 || :')).stdout;
    const before = host.pids().length;
    const pod = await runBarePod(client, containerd, { name: 'gone', image: BEHAVE, args: ['stay'] });
    assert.equal(await addresses(), `${pod.ip}\n`);
    const inCgroup = cgroupRoots().filter((root) => existsSync(join(root.path, host.cgroupParent, 'gone')));
    assert.notEqual(inCgroup.length, 0);
    await pod.remove();
    await until('its processes are gone', () => host.pids().length === before);
    assert.equal(await addresses(), '');
    assert.equal((await host.exec('ls /run/netns')).stdout, '');
    for (const root of inCgroup) assert.equal(existsSync(join(root.path, host.cgroupParent, 'gone')), false);
  });

  test('the sandbox is ours, and came from the registry', async () => {
    assert.notEqual(
      await client.imageStatus({ image: { image: PAUSE_IMAGE } }).then((answer) => answer.image),
      undefined,
    );
    assert.equal(
      registry.requests.some((one) => one.registry === 'registry.k8s.io' && one.repository === 'pause'),
      true,
    );
  });

  test('an image behind a login is pulled by who may', async () => {
    using _login = registry.fault('busybox', { kind: 'login', username: 'me', password: 'secret' });
    const image = { image: 'private.test/busybox:latest' };
    await assert.rejects(client.pullImage({ image }), /401|unauthorized|authorization failed/i);
    await client.pullImage({ image, auth: { username: 'me', password: 'secret' } });
  });
});
