import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Containerd, startContainerd, writeCniConfiguration } from './containerd.ts';
import { buildImages } from './images.ts';
import { createNetwork, type Network } from './namespace.ts';
import { startTicks, until } from './process.ts';
import { type Registry, startRegistry } from './registry.ts';
import { findContainerd2, requires } from './requirements.ts';

const BUSYBOX = 'docker.io/library/busybox:latest';

function suite(programs: () => string | undefined): void {
  let network: Network;
  let registry: Registry;
  let containerds: Containerd[];
  before(
    async () => {
      const store = await buildImages();
      const start = performance.now();
      network = await createNetwork({ hosts: 2 });
      registry = await startRegistry(store, network.hub);
      containerds = await Promise.all(
        network.hosts.map((host) => startContainerd(host, { registry, programs: programs() })),
      );
      const tookMs = performance.now() - start;
      // 0.7 s on an idle machine; this one may have other tests to run.
      assert.ok(tookMs < 10_000, `two hosts with containerd took ${tookMs} ms`);
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await registry?.close();
    await network?.dispose();
  });

  test('a container runs from an image of the registry, and what it prints arrives', async () => {
    const [containerd] = containerds;
    await containerd!.pull(BUSYBOX);
    assert.equal((await containerd!.run(BUSYBOX, ['sh', '-c', 'echo from $(hostname)'])).stdout, 'from node-1\n');
    assert.deepEqual(
      registry.requests.filter((one) => one.kind === 'manifests').map((one) => `${one.registry} ${one.repository}`)[0],
      'docker.io busybox',
    );
  });

  test('the images of one host are not those of the other', async () => {
    assert.match((await containerds[0]!.ctr(['images', 'ls', '-q'])).stdout, /busybox/);
    assert.equal((await containerds[1]!.ctr(['images', 'ls', '-q'])).stdout.includes('busybox'), false);
  });

  test('a web server in a container answers with its own name, to the other host as well', async () => {
    const [containerd] = containerds;
    const image = 'docker.io/library/kubia:latest';
    await containerd!.pull(image);
    const running = containerd!.run(image).catch(() => {});
    const url = `http://${containerd!.host.address}:8080/`;
    const answer = await until('kubia answers', () => network.hosts[1]!.fetch(url).catch(() => undefined));
    assert.equal(answer.body, "You've hit node-1\n");
    await containerd!.ctr([
      'tasks',
      'kill',
      '-s',
      'SIGTERM',
      (await containerd!.ctr(['tasks', 'ls', '-q'])).stdout.trim(),
    ]);
    await running;
  });

  test('nginx serves its page', async () => {
    const containerd = containerds[1]!;
    const image = 'docker.io/library/nginx:latest';
    await containerd.pull(image);
    const running = containerd.run(image).catch(() => {});
    const answer = await until('nginx answers', () =>
      containerd.host.fetch('http://127.0.0.1/').catch(() => undefined),
    );
    assert.match(answer.body, /Welcome to nginx!/);
    await containerd.ctr([
      'tasks',
      'kill',
      '-s',
      'SIGQUIT',
      (await containerd.ctr(['tasks', 'ls', '-q'])).stdout.trim(),
    ]);
    await running;
  });

  test('containers outlive a containerd that is killed, and not one that is disposed of', async () => {
    const [containerd] = containerds;
    const image = 'docker.io/library/behave:latest';
    await containerd!.pull(image);
    const running = containerd!.run(image, ['behave', 'stay']).catch(() => {});
    const [shim] = await until('it runs', async () => {
      const tasks = await containerd!.ctr(['tasks', 'ls'], { check: false });
      return tasks.stdout.includes('RUNNING') && containerd!.shims();
    });
    await containerd!.kill();
    await running;
    assert.notEqual(startTicks(shim!), undefined);
    await containerd!.start();
    assert.match((await containerd!.ctr(['tasks', 'ls'])).stdout, /RUNNING/);
    await containerd!.dispose();
    assert.equal(startTicks(shim!), undefined);
    assert.deepEqual(containerd!.host.pids(), []);
    await containerd!.start();
  });

  test('what the registry refuses, the runtime reports', async () => {
    using _fault = registry.fault('busybox', { kind: 'status', status: 500 });
    await assert.rejects(containerds[1]!.pull(BUSYBOX), /500/);
  });

  test('the configuration of CNI is the host’s own', () => {
    const [containerd] = containerds;
    writeCniConfiguration(containerd!.host, '10.244.1.0/24');
    assert.match(readFileSync(containerd!.host.path('/etc/cni/net.d/10-test.conflist'), 'utf8'), /10\.244\.1\.0/);
    assert.equal(existsSync('/etc/cni/net.d/10-test.conflist'), false);
  });

  test('dispose leaves no process, mount, cgroup or folder', async () => {
    const [containerd] = containerds;
    const host = containerd!.host;
    await containerd!.pull('docker.io/library/behave:latest');
    const running = containerd!.run('docker.io/library/behave:latest', ['behave', 'stay']).catch(() => {});
    const pids = await until('it runs', () => containerd!.shims().length > 0 && host.pids());
    await registry.close();
    await network.dispose();
    await running;
    assert.deepEqual(
      pids.filter((pid) => startTicks(pid) !== undefined),
      [],
    );
    assert.equal(existsSync(network.folder), false);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(network.name), false);
    for (const hierarchy of ['', '/memory', '/pids', '/unified']) {
      assert.equal(existsSync(`/sys/fs/cgroup${hierarchy}/tutti-harness-${network.name}`), false);
    }
  });
}

describe('containerd', requires('root', 'containerd', 'images'), () => suite(() => undefined));

// The other major version, where somebody fetched it (`fetchContainerd2`): not everywhere to be had, so not asked for.
const OPTIONAL = 'optional: there is no second, newer runtime in .cache';
describe(
  'containerd 2',
  findContainerd2() === undefined ? { skip: OPTIONAL } : requires('root', 'containerd', 'images'),
  () => suite(findContainerd2),
);
