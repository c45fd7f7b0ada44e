import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { type ByteSource, readAll } from '../../libs/streaming/channel.ts';
import { exitCodeOf } from '../../libs/streaming/remotecommand.ts';
import { ChangeSource } from '../../node/cri/changes.ts';
import {
  type CriClient,
  CriError,
  execSync,
  isNotFound,
  nanosToMs,
  optional,
  pullFailure,
} from '../../node/cri/cri.ts';
import { connectCri } from '../../node/cri/dial/connect.ts';
import { readLog } from '../../node/cri/log-reader.ts';
import { type Containerd, startContainerd, writeCniConfiguration } from '../harness/containerd.ts';
import { hostOf } from '../harness/host.ts';
import { buildImages } from '../harness/images.ts';
import { createNetwork, type Network } from '../harness/namespace.ts';
import { until } from '../harness/process.ts';
import { type Registry, startRegistry } from '../harness/registry.ts';
import { findContainerd2, requires } from '../harness/requirements.ts';

const clock = new RealClock();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
const all = async (source: ByteSource | undefined): Promise<string> => text(await readAll(source as ByteSource, 1e8));

const BUSYBOX = 'docker.io/library/busybox:latest';
const BEHAVE = 'docker.io/library/behave:latest';

/** Our client against an unmodified containerd, from sandbox to clean-up. */
function suite(major: 1 | 2, programs: () => string | undefined): void {
  let network: Network;
  let registry: Registry;
  let containerd: Containerd;
  let client: CriClient;

  before(
    async () => {
      const store = await buildImages();
      network = await createNetwork({ hosts: 1 });
      registry = await startRegistry(store, network.hub);
      const [host] = network.hosts;
      writeCniConfiguration(host!, '10.244.1.0/24');
      containerd = await startContainerd(host!, { registry, programs: programs() });
      client = connectCri(containerd.endpoint, { clock, sockets: hostOf(host!).sockets });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await client?.close();
    await registry?.close();
    await network?.dispose();
  });

  const sandboxConfig = (name: string) => ({
    metadata: { name, namespace: 'default', uid: `uid-${name}`, attempt: 0 },
    hostname: name,
    logDirectory: `/var/log/pods/default_${name}_uid-${name}`,
    labels: { 'io.kubernetes.pod.uid': `uid-${name}` },
    linux: { cgroupParent: `${containerd.host.cgroupParent}/${name}` },
  });
  const pod = async (name: string) => (await client.runPodSandbox({ config: sandboxConfig(name) })).podSandboxId;
  const start = async (
    podSandboxId: string,
    pods: string,
    config: { name: string; image?: string; [field: string]: unknown },
  ) => {
    const { name, image = BEHAVE, ...rest } = config;
    await client.pullImage({ image: { image } });
    const { containerId } = await client.createContainer({
      podSandboxId,
      config: { metadata: { name, attempt: 0 }, image: { image }, logPath: `${name}/0.log`, linux: {}, ...rest },
      sandboxConfig: sandboxConfig(pods),
    });
    await client.startContainer({ containerId });
    return containerId;
  };
  const state = async (containerId: string) => (await client.containerStatus({ containerId })).status;
  const exited = (containerId: string) =>
    until('the container has ended', async () => {
      const status = await state(containerId);
      return status?.state === 'CONTAINER_EXITED' && status;
    });
  const log = async (pods: string, name: string) => {
    let out = '';
    const path = `${sandboxConfig(pods).logDirectory}/${name}/0.log`;
    for await (const chunk of readLog({ files: hostOf(containerd.host).files, clock, path })) out += text(chunk);
    return out;
  };

  test('it says who it is, and that it is ready', async () => {
    const version = await client.version({});
    assert.deepEqual([version.runtimeName, version.runtimeApiVersion], ['containerd', 'v1']);
    assert.ok(version.runtimeVersion.replace(/^v/, '').startsWith(`${major}.`), version.runtimeVersion);
    const ready = await until('the network is ready', async () => {
      const { status } = await client.status({});
      return (
        status?.conditions.every((condition) => condition.status) &&
        status.conditions.map((condition) => condition.type).sort()
      );
    });
    assert.deepEqual(
      ready.filter((type) => /Ready$/.test(type)),
      ['NetworkReady', 'RuntimeReady'],
    );
  });

  test('what only newer runtimes have is missing in the older', async () => {
    const config = await optional(client.runtimeConfig({}));
    assert.equal(config?.linux?.cgroupDriver, major === 2 ? 'CGROUPFS' : undefined);
  });

  test('a pod from sandbox to removal', { timeout: 60_000 }, async () => {
    const podSandboxId = await pod('life');
    const sandbox = (await client.podSandboxStatus({ podSandboxId })).status;
    assert.equal(sandbox?.state, 'SANDBOX_READY');
    assert.match(sandbox.network?.ip ?? '', /^10\.244\.1\./);
    const containerId = await start(podSandboxId, 'life', {
      name: 'main',
      command: [
        'sh',
        '-c',
        'echo "$GREETING from $(hostname)"; echo oops >&2; trap "exit 4" TERM; while :; do sleep 3600 & wait; done',
      ],
      envs: [{ key: 'GREETING', value: bytes('grüß dich') }],
      labels: { a: 'b' },
    });
    const running = await state(containerId);
    assert.equal(running?.state, 'CONTAINER_RUNNING');
    assert.ok(Math.abs(nanosToMs(running.startedAt) - clock.now()) < 60_000);
    assert.deepEqual(running.labels, { a: 'b' });
    const { containers } = await client.listContainers({ filter: { podSandboxId, labelSelector: { a: 'b' } } });
    assert.deepEqual(
      containers.map((c) => [c.id, c.metadata?.name]),
      [[containerId, 'main']],
    );

    await until('the log is written', async () => {
      // The two streams are read each by itself.
      const lines = (await log('life', 'main')).split('\n').sort();
      return lines.join() === ',grüß dich from life,oops';
    });
    await client.stopContainer({ containerId, timeout: 10 });
    const ended = await state(containerId);
    assert.deepEqual([ended?.state, ended?.exitCode, ended?.reason], ['CONTAINER_EXITED', 4, 'Error']);
    assert.ok((ended?.finishedAt ?? 0n) > (ended?.startedAt ?? 0n));
    await client.removeContainer({ containerId });
    await assert.rejects(client.containerStatus({ containerId }), isNotFound);
    await client.stopPodSandbox({ podSandboxId });
    await client.removePodSandbox({ podSandboxId });
    assert.deepEqual((await client.listPodSandbox({ filter: { id: podSandboxId } })).items, []);
    // Ending what is gone is no error.
    await client.stopContainer({ containerId });
    await client.removeContainer({ containerId });
    await client.removePodSandbox({ podSandboxId });
  });

  test('commands, terminals, attach and ports', { timeout: 120_000 }, async (t) => {
    const podSandboxId = await pod('streams');
    const containerId = await start(podSandboxId, 'streams', { name: 'main', args: ['serve', '8080'] });

    await t.test('execSync collects output and code', async () => {
      const result = await execSync(client, containerId, ['sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.deepEqual([text(result.stdout), text(result.stderr), result.exitCode], ['out\n', 'err\n', 7]);
      const late = (e: unknown) => e instanceof CriError && e.code === 'DEADLINE_EXCEEDED';
      await assert.rejects(execSync(client, containerId, ['sleep', '20'], { timeoutMs: 300 }), late);
      await assert.rejects(
        client.execSync({ containerId, cmd: ['sleep', '20'], timeout: 1 }),
        (e) => e instanceof CriError,
      );
      await assert.rejects(execSync(client, containerId, ['no-such-program']), /no-such-program/);
    });

    await t.test('exec: the end of stdin reaches the command, whatever comes back', async () => {
      const cmd = ['sh', '-c', 'cat; echo done >&2; exit 5'];
      const streams = await client.exec({ containerId, cmd, stdin: true, stdout: true, stderr: true });
      const output = all(streams.stdout);
      const errors = all(streams.stderr);
      const chunk = new Uint8Array(64 * 1024).fill(120);
      for (let i = 0; i < 64; i++) await streams.stdin?.write(chunk.slice());
      await streams.stdin?.end();
      assert.equal((await output).length, 64 * chunk.length);
      assert.equal(await errors, 'done\n');
      assert.equal(exitCodeOf(await streams.status), 5);
    });

    await t.test('exec: many at once', async () => {
      const said = await Promise.all(
        Array.from({ length: 8 }, async (_, i) =>
          all((await client.exec({ containerId, cmd: ['echo', `n${i}`], stdout: true })).stdout),
        ),
      );
      assert.deepEqual(
        said,
        Array.from({ length: 8 }, (_, i) => `n${i}\n`),
      );
    });

    await t.test('exec with a terminal knows its size', async () => {
      const streams = await client.exec({ containerId, cmd: ['sh'], stdin: true, stdout: true, tty: true });
      const output = all(streams.stdout);
      await streams.resize?.write({ width: 132, height: 43 });
      await clock.sleep(200);
      await streams.stdin?.write(bytes('stty size; exit 3\n'));
      assert.match(await output, /43 132/);
      assert.equal(exitCodeOf(await streams.status), 3);
    });

    await t.test('a command that does not exist is a status, not a hang', async () => {
      const streams = await client.exec({ containerId, cmd: ['no-such-program'], stdout: true });
      const status = await streams.status;
      assert.equal(status.status, 'Failure');
      assert.match(status.message ?? '', /no-such-program/);
    });

    await t.test('giving up ends the streams', async () => {
      const streams = await client.exec({ containerId, cmd: ['sleep', '600'], stdout: true });
      streams.close(new Error('enough'));
      await assert.rejects(streams.status.then((s) => Promise.reject(new Error(s.message))));
    });

    await t.test('port-forward: connections at once, and one to a closed port', async () => {
      const forwarder = await client.portForward({ podSandboxId, port: [8080] });
      const pages = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { data } = await forwarder.connect(8080);
          await data.sink.write(bytes('GET / HTTP/1.0\r\n\r\n'));
          const page = await all(data.source);
          await data.sink.end();
          return page;
        }),
      );
      for (const page of pages) assert.match(page, /200 OK.*streams\n$/s);
      assert.match((await (await forwarder.connect(81)).error) ?? '', /connection refused/);
      forwarder.close();
      await forwarder.closed;
    });

    await t.test('attach: stdin to the container, its output back, its end', async () => {
      const command = ['sh', '-c', 'cat; exit 6'];
      const id = await start(podSandboxId, 'streams', { name: 'cat', command, stdin: true, stdinOnce: true });
      const streams = await client.attach({ containerId: id, stdin: true, stdout: true, stderr: true });
      await streams.stdin?.write(bytes('hello\n'));
      await streams.stdin?.end();
      assert.equal(await all(streams.stdout), 'hello\n');
      assert.equal((await exited(id)).exitCode, 6);
    });

    await t.test('exec in a container that has ended is refused', async () => {
      const id = await start(podSandboxId, 'streams', { name: 'short', args: ['exit', '0'] });
      await exited(id);
      const answer = client.exec({ containerId: id, cmd: ['true'], stdout: true }).then((streams) => streams.status);
      const refused = await answer.then(
        (status) => status.message,
        (error: Error) => error.message,
      );
      assert.match(refused ?? '', /CONTAINER_EXITED|not running/);
    });
    await client.removePodSandbox({ podSandboxId });
  });

  test('images that cannot be had', { timeout: 60_000 }, async () => {
    await assert.rejects(
      client.pullImage({ image: { image: 'docker.io/library/none:1' } }),
      (e) => isNotFound(e) && pullFailure(e) === 'ErrImagePull',
    );
    using _fault = registry.fault('busybox', { kind: 'status', status: 503 });
    await client.removeImage({ image: { image: BUSYBOX } });
    await assert.rejects(client.pullImage({ image: { image: BUSYBOX } }), /503/);
    using _hang = registry.fault('nginx', { kind: 'hang' });
    const given = client.pullImage({ image: { image: 'docker.io/library/nginx:latest' } }, { timeoutMs: 500 });
    await assert.rejects(given, (e) => e instanceof CriError && e.code === 'DEADLINE_EXCEEDED');
  });

  test('changes are told: containers that end, pods that go', { timeout: 60_000 }, async () => {
    const told = new Set<string>();
    const source = new ChangeSource({
      client,
      clock,
      log: silentLogger,
      changed: (changes) => {
        for (const { object, change, podUid } of changes) told.add(`${object} ${change} ${podUid}`);
      },
    });
    source.start();
    if (major === 2) await until('it has events', async () => source.hasEvents);
    const podSandboxId = await pod('told');
    await start(podSandboxId, 'told', { name: 'short', args: ['exit', '3', '1'] });
    await until('the end is told', async () => told.has('container stopped uid-told'));
    await client.removePodSandbox({ podSandboxId });
    await until(
      'the removal is told',
      async () => told.has('sandbox removed uid-told') && told.has('container removed uid-told'),
    );
    assert.ok(told.has('sandbox started uid-told'));
    assert.equal(source.hasEvents, major === 2);
    await source.stop();
  });

  test('a containerd that is killed fails its calls; the next one finds everything as it was', {
    timeout: 60_000,
  }, async () => {
    const podSandboxId = await pod('kept');
    const containerId = await start(podSandboxId, 'kept', { name: 'main', args: ['stay'] });
    const hanging = client.execSync({ containerId, cmd: ['sleep', '600'] });
    const failed = assert.rejects(hanging, (e) => e instanceof CriError && e.code === 'UNAVAILABLE');
    await clock.sleep(200);
    await containerd.kill();
    await failed;
    await assert.rejects(client.version({}), (e) => e instanceof CriError && e.code === 'UNAVAILABLE');
    await containerd.start();
    assert.equal((await state(containerId))?.state, 'CONTAINER_RUNNING');
    const echoed = await client.exec({ containerId, cmd: ['echo', 'again'], stdout: true });
    assert.equal(await all(echoed.stdout), 'again\n');
    await client.removePodSandbox({ podSandboxId });
  });

  test('a log that is rotated is followed, and reopened by the runtime', { timeout: 60_000 }, async () => {
    const podSandboxId = await pod('rotated');
    const containerId = await start(podSandboxId, 'rotated', {
      name: 'main',
      command: ['sh', '-c', 'for i in $(seq 1 400); do echo line $i; sleep 0.01; done'],
    });
    const { files } = hostOf(containerd.host);
    const path = `${sandboxConfig('rotated').logDirectory}/main/0.log`;
    const running = async () => (await state(containerId))?.state === 'CONTAINER_RUNNING';
    const reading = (async () => {
      let out = '';
      for await (const chunk of readLog({ files, clock, path, follow: true, running })) out += text(chunk);
      return out;
    })();
    await clock.sleep(700);
    await files.rename(path, `${path}.1`);
    await client.reopenContainerLog({ containerId });
    assert.equal(await reading, Array.from({ length: 400 }, (_, i) => `line ${i + 1}\n`).join(''));
    assert.ok(readFileSync(containerd.host.path(path), 'utf8').length > 0);
    await client.removePodSandbox({ podSandboxId });
  });

  test('what containers use is measured', { timeout: 30_000 }, async () => {
    const podSandboxId = await pod('used');
    const containerId = await start(podSandboxId, 'used', { name: 'main', args: ['memory', '20'] });
    const used = await until('memory is in use', async () => {
      const { stats } = await client.containerStats({ containerId });
      return (stats?.memory?.workingSetBytes?.value ?? 0) > 20e6 && stats;
    });
    assert.ok((used.cpu?.usageCoreNanoSeconds?.value ?? 0) > 0);
    assert.equal(used.attributes?.metadata?.name, 'main');
    await client.removePodSandbox({ podSandboxId });
  });
}

describe('CRI with containerd', requires('root', 'containerd', 'images'), () => suite(1, () => undefined));
const OPTIONAL = 'optional: there is no second, newer runtime in .cache';
describe(
  'CRI with containerd 2',
  findContainerd2() === undefined ? { skip: OPTIONAL } : requires('root', 'containerd', 'images'),
  () => suite(2, findContainerd2),
);
