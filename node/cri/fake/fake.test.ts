import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../libs/base/log.ts';
import { turn } from '../../../libs/base/node/turn.ts';
import { SeededRandom } from '../../../libs/base/random.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import { readAll } from '../../../libs/streaming/channel.ts';
import { exitCodeOf } from '../../../libs/streaming/remotecommand.ts';
import { ChangeSource, type RuntimeChange } from '../changes.ts';
import { type CriClient, CriError, execSync, optional, pullFailure } from '../cri.ts';
import { readLog } from '../log-reader.ts';
import { simulatedCriClient } from './client.ts';
import { imageId, normalizeReference, type SimulatedContainer, SimulatedImages } from './image.ts';
import type { MemoryLogFiles } from './log-files.ts';
import { SimulatedRuntime, type SimulatedRuntimeOptions } from './runtime.ts';
import { restoreSnapshot, takeSnapshot } from './snapshot.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);

/** A node with a runtime on virtual time, and the few calls a kubelet makes. */
function node(options: Partial<SimulatedRuntimeOptions> = {}) {
  const clock = (options.clock as VirtualClock) ?? new VirtualClock({ turn });
  const images = options.images ?? new SimulatedImages();
  const runtime = new SimulatedRuntime({ clock, random: new SeededRandom(7), images, ...options });
  return { clock, images, runtime, ...kubelet(simulatedCriClient(runtime), runtime) };
}

function kubelet(client: CriClient, runtime: SimulatedRuntime) {
  const sandboxConfig = (name: string) => ({
    metadata: { name, namespace: 'default', uid: `uid-${name}`, attempt: 0 },
    hostname: name,
    logDirectory: `/logs/${name}`,
  });
  const pod = async (name = 'web') => (await client.runPodSandbox({ config: sandboxConfig(name) })).podSandboxId;
  const run = async (podSandboxId: string, image: string, more: object = {}, name = 'main', attempt = 0) => {
    await client.pullImage({ image: { image } });
    const config = { metadata: { name, attempt }, image: { image }, logPath: `${name}/${attempt}.log`, ...more };
    const { containerId } = await client.createContainer({ podSandboxId, config });
    await client.startContainer({ containerId });
    return containerId;
  };
  const status = async (containerId: string) => {
    const { status: s } = await client.containerStatus({ containerId });
    return `${s?.state.replace('CONTAINER_', '')} ${s?.exitCode} ${s?.reason}`.trim();
  };
  const log = async (path: string) => {
    let out = '';
    for await (const chunk of readLog({ files: runtime.logs as MemoryLogFiles, clock: runtime.clock, path }))
      out += text(chunk);
    return out;
  };
  return { client, pod, run, status, log };
}

const isCri =
  (code: string, message = /./) =>
  (e: unknown) =>
    e instanceof CriError && e.code === code && message.test(e.message);

test('how containers of an image behave', async (t) => {
  const cases: [string, Parameters<SimulatedImages['define']>[1] | undefined, [number, string][]][] = [
    ['an image nobody defined runs', undefined, [[86_400_000, 'RUNNING 0']]],
    [
      'a policy ends it',
      { exitAfterMs: 5000, exitCode: 3 },
      [
        [4999, 'RUNNING 0'],
        [1, 'EXITED 3 Error'],
      ],
    ],
    ['a success', { exitAfterMs: 10 }, [[10, 'EXITED 0 Completed']]],
    ['a failure rate of one', { failureRate: 1 }, [[0, 'EXITED 1 Error']]],
    ['a function that returns has ended', () => {}, [[0, 'EXITED 0 Completed']]],
    [
      'a function that returns a code',
      async (c) => (await c.sleep(100), 4),
      [
        [99, 'RUNNING 0'],
        [1, 'EXITED 4 Error'],
      ],
    ],
    [
      'a function that throws',
      () => {
        throw new Error('no config');
      },
      [[0, 'EXITED 1 Error']],
    ],
    ['a function that serves goes on', (c) => c.serve(80, () => ''), [[1000, 'RUNNING 0']]],
    [
      'exit ends it at once',
      (c) => {
        c.onStop(() => {});
        c.exit(9);
      },
      [[0, 'EXITED 9 Error']],
    ],
    [
      'an end after the start',
      (c) => {
        c.onExec(() => {});
        c.clock.setTimer(() => c.exit(2), 50);
      },
      [[50, 'EXITED 2 Error']],
    ],
    [
      'too much memory',
      (c) => {
        c.onExec(() => {});
        c.use({ memoryBytes: 2e6 });
      },
      [[0, 'EXITED 137 OOMKilled']],
    ],
    [
      'as much memory as allowed',
      (c) => {
        c.onExec(() => {});
        c.use({ memoryBytes: 1e6 });
      },
      [[0, 'RUNNING 0']],
    ],
  ];
  for (const [name, image, steps] of cases) {
    await t.test(name, async () => {
      const { clock, images, pod, run, status } = node();
      if (image) images.define('img:1', image);
      const id = await run(await pod(), 'img:1', { linux: { resources: { memoryLimitInBytes: 1_000_000 } } });
      for (const [afterMs, expected] of steps) {
        await clock.advance(afterMs);
        assert.equal(await status(id), expected, `after ${afterMs} ms`);
      }
    });
  }
});

test('how containers end when they are asked to', async (t) => {
  type Image = Parameters<SimulatedImages['define']>[1];
  const cases: [string, Image | undefined, number, number, string][] = [
    ['without a handler at once', undefined, 30, 0, 'EXITED 143 Error'],
    ['without a grace period killed', undefined, 0, 0, 'EXITED 137 Error'],
    ['slowly', { stopMs: 2000 }, 30, 2000, 'EXITED 143 Error'],
    ['never by itself', { stopMs: Number.POSITIVE_INFINITY }, 30, 30_000, 'EXITED 137 Error'],
    ['with a handler', (c) => c.onStop(async () => c.sleep(500)), 30, 500, 'EXITED 0 Completed'],
    ['with a handler that is too slow', (c) => c.onStop(async () => c.sleep(60_000)), 10, 10_000, 'EXITED 137 Error'],
    [
      'with a handler that fails',
      (c) =>
        c.onStop(() => {
          throw new Error('x');
        }),
      10,
      0,
      'EXITED 1 Error',
    ],
  ];
  for (const [name, image, timeout, expectedMs, expected] of cases) {
    await t.test(name, async () => {
      const { clock, images, client, pod, run, status } = node();
      if (image) images.define('img:1', image);
      const containerId = await run(await pod(), 'img:1');
      await clock.advance(100);
      const started = clock.monotonic();
      const stopped = client.stopContainer({ containerId, timeout }).then(() => clock.monotonic() - started);
      await clock.advance(120_000);
      assert.equal(await stopped, expectedMs);
      assert.equal(await status(containerId), expected);
    });
  }
});

test('a container sees its pod, its environment and its mounts', async () => {
  const { images, pod, run, clock } = node();
  let seen: SimulatedContainer | undefined;
  images.define('img:1', (c) => {
    seen = c;
    c.onStop(() => {});
  });
  await run(await pod('a'), 'img:1', {
    command: ['/bin/app'],
    args: ['--x'],
    envs: [{ key: 'NAME', value: bytes('Jürgen') }],
    labels: { a: 'b' },
    mounts: [{ containerPath: '/data', hostPath: '/var/data', readonly: true }],
  });
  await clock.advance(0);
  assert.ok(seen);
  assert.deepEqual(seen.pod, { name: 'a', namespace: 'default', uid: 'uid-a', ip: '10.244.0.2', hostname: 'a' });
  assert.deepEqual(seen.env, { NAME: 'Jürgen' });
  assert.deepEqual(
    [seen.name, seen.attempt, seen.command, seen.args, seen.labels],
    ['main', 0, ['/bin/app'], ['--x'], { a: 'b' }],
  );
  assert.equal(seen.mounts[0]?.containerPath, '/data');
});

test('logs are written as a runtime writes them', async () => {
  const { clock, images, pod, run, log, runtime } = node();
  images.define('img:1', async (c) => {
    c.log('first\nsecond');
    await c.sleep(1500);
    c.logError('bad');
    throw new Error('gave up');
  });
  await run(await pod(), 'img:1');
  await clock.advance(2000);
  assert.equal(await log('/logs/web/main/0.log'), 'first\nsecond\nbad\ngave up\n');
  const raw = text((runtime.logs as MemoryLogFiles).entries()[0]?.[1] as Uint8Array).split('\n');
  assert.equal(raw[0], '2026-01-01T00:00:00.000000000Z stdout F first');
  assert.equal(raw[2], '2026-01-01T00:00:01.500000000Z stderr F bad');
});

test('pods talk over the simulated network', async () => {
  const { images, pod, run, client, runtime, log, clock } = node();
  runtime.network.configure({
    resolve: (host, port) => (host === 'web.default.svc' ? { ip: '10.244.0.2', port: port + 8000 } : undefined),
  });
  images.define('web:1', (c) =>
    c.serve(8080, (r) => (r.path === '/fail' ? { status: 503, body: 'no' } : `hello ${r.from} ${r.path}`)),
  );
  images.define('curl:1', async (c) => {
    for (const url of c.args) {
      const answer = await c.fetch(url).catch((e: Error) => ({ status: 0, body: e.message }));
      c.log(`${answer.status} ${answer.body}`);
    }
  });
  const web = await pod('web');
  await run(web, 'web:1');
  await clock.advance(0);
  const urls = [
    'http://10.244.0.2:8080/a?b',
    'http://web.default.svc:80/',
    'http://10.244.0.2:8080/fail',
    'http://10.244.0.2:81/',
    'http://nobody/',
  ];
  await run(await pod('curl'), 'curl:1', { args: urls });
  await clock.advance(0);
  assert.deepEqual((await log('/logs/curl/main/0.log')).trim().split('\n'), [
    '200 hello 10.244.0.3 /a?b',
    '200 hello 10.244.0.3 /',
    '503 no',
    '0 dial tcp 10.244.0.2:81: connect: connection refused',
    '0 lookup nobody: no such host',
  ]);
  assert.equal((await client.podSandboxStatus({ podSandboxId: web })).status?.network?.ip, '10.244.0.2');
  await client.stopPodSandbox({ podSandboxId: web });
  await assert.rejects(runtime.network.request('http://10.244.0.2:8080/'), { code: 'ECONNREFUSED' });
});

test('port-forward reaches what serves, in HTTP/1.1, and says when nobody does', async () => {
  const { images, pod, run, client, clock } = node();
  images.define('web:1', (c) => c.serve(80, (r) => `${r.method} ${r.path} ${r.body}`));
  const podSandboxId = await pod();
  await run(podSandboxId, 'web:1');
  await clock.advance(0);
  const forwarder = await client.portForward({ podSandboxId });
  const { data, error } = await forwarder.connect(80);
  await data.sink.write(bytes('GET /one HTTP/1.1\r\nHost: x\r\n\r\nPOST /two HTTP/1.1\r\nContent-'));
  await data.sink.write(bytes('Length: 5\r\nConnection: close\r\n\r\nhällo'.normalize('NFC').replace('ä', 'a')));
  const answers = text(await readAll(data.source));
  await data.sink.end();
  assert.match(answers, /^HTTP\/1.1 200 OK\r\n.*GET \/one HTTP\/1.1 200 OK\r\n.*POST \/two hallo$/s);
  assert.equal(await error, undefined);
  assert.match((await (await forwarder.connect(81)).error) ?? '', /connection refused/);
});

test('commands in a container', async () => {
  const { images, pod, run, client, clock } = node();
  images.define('img:1', (c) => {
    c.onExec(async ({ command, stdin, write, writeError, signal }) => {
      const [program, ...args] = command;
      if (program === 'cat')
        for (let chunk = await stdin.read(); chunk; chunk = await stdin.read()) await write(text(chunk));
      else if (program === 'sleep') await c.clock.sleep(Number(args[0]) * 1000, signal);
      else if (program === 'fail') throw new Error('failed');
      else await writeError(`${program}: not found\n`);
      return program === 'cat' || program === 'sleep' ? 0 : 127;
    });
  });
  const containerId = await run(await pod(), 'img:1');
  await clock.advance(0);
  const streams = await client.exec({ containerId, cmd: ['cat'], stdin: true, stdout: true });
  await streams.stdin?.write(bytes('to and '));
  await streams.stdin?.write(bytes('fro'));
  await streams.stdin?.end();
  assert.equal(text(await readAll(streams.stdout as never)), 'to and fro');
  assert.equal(exitCodeOf(await streams.status), 0);

  const missing = await execSync(client, containerId, ['nope']);
  assert.deepEqual([missing.exitCode, text(missing.stderr)], [127, 'nope: not found\n']);
  const failed = await execSync(client, containerId, ['fail']);
  assert.deepEqual([failed.exitCode, text(failed.stderr)], [1, 'failed\n']);
  const slow = assert.rejects(
    execSync(client, containerId, ['sleep', '10'], { timeoutMs: 2000 }),
    isCri('DEADLINE_EXCEEDED'),
  );
  await clock.advance(2000);
  await slow;

  const hanging = await client.exec({ containerId, cmd: ['sleep', '100'], stdout: true });
  await client.stopContainer({ containerId, timeout: 0 });
  assert.equal(exitCodeOf(await hanging.status), 137);
  await assert.rejects(client.exec({ containerId, cmd: ['cat'], stdout: true }), isCri('UNKNOWN', /CONTAINER_EXITED/));
});

test('attach shows what comes and feeds standard input', async () => {
  const { images, pod, run, client, clock } = node();
  images.define('img:1', async (c) => {
    for (let chunk = await c.stdin.read(); chunk; chunk = await c.stdin.read()) c.log(`got ${text(chunk)}`);
    return 6;
  });
  const containerId = await run(await pod(), 'img:1', { stdin: true, stdinOnce: true });
  const streams = await client.attach({ containerId, stdin: true, stdout: true });
  await streams.stdin?.write(bytes('one'));
  await streams.stdin?.end();
  assert.equal(text(await readAll(streams.stdout as never)), 'got one\n');
  assert.equal((await streams.status).status, 'Success');
  await clock.advance(0);
  assert.equal((await client.containerStatus({ containerId })).status?.exitCode, 6);
});

test('images', async () => {
  const { images, client, clock } = node();
  images.setDefault(undefined);
  images.define('big', { pullMs: 5000, sizeBytes: 5e8, user: 1000 });
  images.define('down:1', { pullError: 'RegistryUnavailable: try later' });
  await assert.rejects(client.pullImage({ image: { image: 'none:1' } }), isCri('NOT_FOUND', /none:1: not found/));
  const down = await client.pullImage({ image: { image: 'down:1' } }).catch((e: Error) => e);
  assert.equal(pullFailure(down), 'RegistryUnavailable');

  const started = clock.monotonic();
  const both = Promise.all(
    ['big', 'docker.io/library/big:latest'].map((image) => client.pullImage({ image: { image } })),
  );
  await clock.advance(5000);
  const [a, b] = await both;
  assert.equal(a?.imageRef, b?.imageRef);
  assert.equal(clock.monotonic() - started, 5000);
  const { image } = await client.imageStatus({ image: { image: 'big' } });
  assert.deepEqual(
    [image?.id, image?.repoTags, image?.size, image?.uid],
    [imageId('big'), ['docker.io/library/big:latest'], 5e8, { value: 1000 }],
  );
  assert.equal((await client.imageFsInfo({})).imageFilesystems[0]?.usedBytes?.value, 5e8);
  await client.removeImage({ image: { image: image?.id as string } });
  assert.equal((await client.imageStatus({ image: { image: 'big' } })).image, undefined);
  assert.deepEqual((await client.listImages({})).images, []);
});

test('names of images', () => {
  const cases: [string, string][] = [
    ['nginx', 'docker.io/library/nginx:latest'],
    ['shop/web:1', 'docker.io/shop/web:1'],
    ['localhost/a', 'localhost/a:latest'],
    ['r.io:5000/a/b', 'r.io:5000/a/b:latest'],
    ['r.io/a@sha256:00', 'r.io/a@sha256:00'],
  ];
  for (const [given, expected] of cases) assert.equal(normalizeReference(given), expected);
});

test('what a runtime refuses', async () => {
  const { client, pod, run, clock } = node();
  const podSandboxId = await pod();
  const config = { metadata: { name: 'main' }, image: { image: 'img:1' } };
  await assert.rejects(pod(), isCri('UNKNOWN', /is reserved/));
  await assert.rejects(client.runPodSandbox({ config: {} }), isCri('INVALID_ARGUMENT'));
  await assert.rejects(client.createContainer({ podSandboxId, config }), isCri('NOT_FOUND', /img:1/));
  await assert.rejects(client.createContainer({ podSandboxId: 'x', config }), isCri('NOT_FOUND', /sandbox/));
  await assert.rejects(client.containerStatus({ containerId: 'x' }), isCri('NOT_FOUND'));
  const containerId = await run(podSandboxId, 'img:1');
  await assert.rejects(client.startContainer({ containerId }), isCri('UNKNOWN', /CONTAINER_RUNNING/));
  await assert.rejects(client.createContainer({ podSandboxId, config }), isCri('UNKNOWN', /reserved/));
  await assert.rejects(client.checkpointContainer({ containerId }), isCri('UNIMPLEMENTED'));
  // Ending what is not there is no error.
  await client.stopContainer({ containerId: 'x' });
  await client.removeContainer({ containerId: 'x' });
  await client.removePodSandbox({ podSandboxId: 'x' });
  await client.stopPodSandbox({ podSandboxId });
  await assert.rejects(
    client.createContainer({ podSandboxId, config: { ...config, metadata: { name: 'b' } } }),
    isCri('UNKNOWN', /not running/),
  );
  await clock.advance(0);
});

test('addresses run out and are given back; the network may be missing', async () => {
  const { client, pod, runtime } = node({ podCidr: '10.0.0.0/29' });
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await pod(`p${i}`));
  const ips = await Promise.all(
    ids.map(async (podSandboxId) => (await client.podSandboxStatus({ podSandboxId })).status?.network?.ip),
  );
  assert.deepEqual(ips, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
  await assert.rejects(pod('p6'), isCri('UNKNOWN', /no IP addresses/));
  await client.removePodSandbox({ podSandboxId: ids[2] as string });
  assert.equal((await client.podSandboxStatus({ podSandboxId: await pod('p6') })).status?.network?.ip, '10.0.0.4');
  await client.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr: '10.1.0.0/24' } } });
  assert.equal((await client.podSandboxStatus({ podSandboxId: await pod('p7') })).status?.network?.ip, '10.1.0.2');
  runtime.setNetworkReady(false);
  assert.deepEqual(
    (await client.status({})).status?.conditions.map((c) => c.status),
    [true, false],
  );
  await assert.rejects(pod('p8'), isCri('UNKNOWN', /cni/));
});

test('lists by state, pod and label', async () => {
  const { client, pod, run, clock } = node();
  const a = await pod('a');
  const b = await pod('b');
  await run(a, 'img:1', { labels: { app: 'x' } }, 'one');
  const two = await run(a, 'img:1', { labels: { app: 'y' } }, 'two');
  await run(b, 'img:1', { labels: { app: 'x' } }, 'three');
  await client.stopContainer({ containerId: two, timeout: 1 });
  await client.stopPodSandbox({ podSandboxId: b });
  await clock.advance(0);
  const names = async (filter: object) =>
    (await client.listContainers({ filter })).containers.map((c) => c.metadata?.name).join();
  assert.equal(await names({}), 'one,two,three');
  assert.equal(await names({ podSandboxId: a }), 'one,two');
  assert.equal(await names({ state: { state: 'CONTAINER_RUNNING' } }), 'one');
  assert.equal(await names({ labelSelector: { app: 'x' } }), 'one,three');
  assert.equal(await names({ id: two.slice(0, 12) }), 'two');
  const sandboxes = async (filter: object) =>
    (await client.listPodSandbox({ filter })).items.map((s) => s.metadata?.name).join();
  assert.equal(await sandboxes({ state: {} }), 'a');
  assert.equal(await sandboxes({ state: { state: 'SANDBOX_NOTREADY' } }), 'b');
});

test('what containers use adds up', async () => {
  const { images, client, pod, run, clock } = node();
  images.define('img:1', { usage: { cpuMillicores: 250, memoryBytes: 3e6 } });
  const podSandboxId = await pod();
  const containerId = await run(podSandboxId, 'img:1', { linux: { resources: { memoryLimitInBytes: 1e7 } } });
  await run(podSandboxId, 'img:1', {}, 'side');
  await clock.advance(4000);
  const { stats } = await client.containerStats({ containerId });
  assert.equal(stats?.cpu?.usageCoreNanoSeconds?.value, 1e9);
  assert.equal(stats?.cpu?.usageNanoCores?.value, 250e6);
  assert.deepEqual([stats?.memory?.workingSetBytes?.value, stats?.memory?.availableBytes?.value], [3e6, 7e6]);
  const sum = await client.podSandboxStats({ podSandboxId });
  assert.equal(sum.stats?.linux?.cpu?.usageCoreNanoSeconds?.value, 2e9);
  assert.equal(sum.stats?.linux?.memory?.workingSetBytes?.value, 6e6);
  await client.stopContainer({ containerId, timeout: 1 });
  await clock.advance(1000);
  assert.equal((await client.containerStats({ containerId })).stats?.cpu?.usageCoreNanoSeconds?.value, 1e9);
});

for (const generation of [1, 2] as const) {
  test(`changes are told by a runtime of generation ${generation}`, async () => {
    const { client, clock, pod, run, runtime, images } = node({ generation });
    images.define('job:1', { exitAfterMs: 10_000 });
    const told: string[] = [];
    const source = new ChangeSource({
      client,
      clock,
      log: silentLogger,
      changed: (changes) => told.push(...changes.map((c: RuntimeChange) => `${c.object} ${c.change} ${c.podUid}`)),
    });
    const before = await pod('before');
    source.start();
    await clock.advance(3000);
    assert.equal(source.hasEvents, generation === 2);
    assert.deepEqual(told.splice(0), ['sandbox started uid-before']);
    const id = await pod('a');
    await run(id, 'job:1');
    await clock.advance(3000);
    assert.deepEqual(
      [...new Set(told.splice(0).filter((line) => !line.includes('created')))],
      ['sandbox started uid-a', 'container started uid-a'],
    );
    await clock.advance(10_000);
    assert.deepEqual(told.splice(0), ['container stopped uid-a']);
    // Nothing happens, nothing is told, whatever is listed meanwhile.
    await clock.advance(600_000);
    assert.deepEqual(told.splice(0), []);
    runtime.breakEvents();
    await client.removePodSandbox({ podSandboxId: id });
    await client.removePodSandbox({ podSandboxId: before });
    await clock.advance(5000);
    assert.deepEqual(
      told
        .splice(0)
        .filter((line) => line.includes('removed'))
        .sort(),
      ['container removed uid-a', 'sandbox removed uid-a', 'sandbox removed uid-before'],
    );
    await source.stop();
    assert.equal(clock.pending, 0, 'a stopped source leaves no timer');
  });
}

test('a runtime that does not answer is asked again, and seen to have been away', async () => {
  const clock = new VirtualClock({ turn });
  const runtime = new SimulatedRuntime({ clock, random: new SeededRandom(1), images: new SimulatedImages() });
  let down = true;
  const client = simulatedCriClient(runtime, () => {
    if (down) throw new CriError('any', 'UNAVAILABLE', 'connection refused');
  });
  const told: RuntimeChange[] = [];
  const source = new ChangeSource({ client, clock, log: silentLogger, changed: (changes) => told.push(...changes) });
  source.start();
  await clock.advance(10_000);
  assert.equal(source.listedMs, undefined);
  down = false;
  await client.runPodSandbox({ config: { metadata: { name: 'a', namespace: 'b', uid: 'c' } } });
  await clock.advance(4000);
  assert.equal(told.length, 1);
  assert.ok(source.hasEvents);
  await source.stop();
});

test('a client that is closed, a deadline and a signal end calls, not the runtime', async () => {
  const { runtime, clock, images, client } = node();
  images.define('slow:1', { pullMs: 60_000 });
  const abort = new AbortController();
  const calls = [
    assert.rejects(client.pullImage({ image: { image: 'slow:1' } }, { timeoutMs: 1000 }), isCri('DEADLINE_EXCEEDED')),
    assert.rejects(client.pullImage({ image: { image: 'slow:1' } }, { signal: abort.signal }), isCri('CANCELLED')),
    assert.rejects(client.pullImage({ image: { image: 'slow:1' } }), isCri('CANCELLED', /closed/)),
  ];
  await clock.advance(1000);
  abort.abort();
  await client.close();
  await Promise.all(calls);
  await assert.rejects(client.version({}), isCri('CANCELLED'));
  await clock.advance(59_000);
  assert.equal((await simulatedCriClient(runtime).listImages({})).images.length, 1);
});

test('optional methods are missing in the older generation', async () => {
  assert.equal(await optional(node({ generation: 1 }).client.runtimeConfig({})), undefined);
  assert.equal((await optional(node({ generation: 2 }).client.runtimeConfig({})))?.linux?.cgroupDriver, 'CGROUPFS');
});

test('a power cut ends everything without a word', async () => {
  const { client, runtime, pod, run, status, clock } = node();
  const podSandboxId = await pod();
  const containerId = await run(podSandboxId, 'img:1');
  const events: string[] = [];
  const queue = runtime.watch();
  runtime.powerOff();
  for (let event = await queue.take(); event; event = await queue.take()) events.push(event.containerEventType);
  assert.deepEqual(events, []);
  await clock.advance(0);
  assert.equal(await status(containerId), 'EXITED 255 Unknown');
  assert.equal((await client.podSandboxStatus({ podSandboxId })).status?.state, 'SANDBOX_NOTREADY');
});

/** Some minutes of a node's life, as one text. */
async function history(seed: number): Promise<string> {
  const { clock, images, client, runtime, pod, run } = node({ random: new SeededRandom(seed) });
  images.define('flaky:1', { failureRate: 0.5, exitAfterMs: 3000 });
  images.define('dice:1', async (c) => {
    await c.sleep(1000 * c.random.next());
    c.log(String(c.random.int(1000)));
    return c.random.int(3);
  });
  const lines: string[] = [];
  const queue = runtime.watch();
  for (let i = 0; i < 10; i++) {
    const id = await pod(`p${i}`);
    await run(id, 'flaky:1', {}, 'flaky');
    await run(id, 'dice:1', {}, 'dice');
    await clock.advance(700);
    if (i % 3 === 2) await client.removePodSandbox({ podSandboxId: id });
  }
  await clock.advance(10_000);
  runtime.unwatch(queue);
  for (let event = await queue.take(); event; event = await queue.take()) {
    lines.push(
      `${event.createdAt} ${event.containerId} ${event.containerEventType} ${event.containersStatuses.map((s) => s.exitCode)}`,
    );
  }
  for (const [path, content] of (runtime.logs as MemoryLogFiles).entries()) lines.push(`${path} ${text(content)}`);
  return lines.join('\n');
}

test('one seed gives one history, another seed another', async () => {
  const first = await history(1);
  assert.ok(first.length > 1000);
  assert.equal(await history(1), first);
  assert.notEqual(await history(2), first);
});

test('a snapshot goes on where it was taken', async () => {
  const first = node();
  first.images.define('web:1', (c) => c.serve(80, () => `hi from ${c.pod.name}${c.restored ? ' again' : ''}`));
  first.images.define('job:1', { exitAfterMs: 10_000, exitCode: 5, usage: { cpuMillicores: 1000 } });
  const podSandboxId = await first.pod();
  await first.run(podSandboxId, 'web:1', { envs: [{ key: 'A', value: bytes('b') }] });
  const job = await first.run(podSandboxId, 'job:1', {}, 'job');
  const done = await first.run(podSandboxId, 'none:1', {}, 'done');
  await first.client.stopContainer({ containerId: done, timeout: 0 });
  await first.clock.advance(4000);
  const snapshot = takeSnapshot(first.runtime);

  const clock = new VirtualClock({ turn, startMs: first.clock.now() });
  const runtime = restoreSnapshot(snapshot, { clock, random: new SeededRandom(99), images: first.images });
  const second = kubelet(simulatedCriClient(runtime), runtime);
  await clock.advance(0);
  assert.deepEqual(takeSnapshot(runtime), snapshot);
  assert.deepEqual(await second.client.listContainers({}), await first.client.listContainers({}));
  assert.equal(await second.status(done), 'EXITED 137 Error');
  assert.equal((await runtime.network.request('http://10.244.0.2/')).body, 'hi from web again');
  await clock.advance(5999);
  assert.equal(await second.status(job), 'RUNNING 0');
  await clock.advance(1);
  assert.equal(await second.status(job), 'EXITED 5 Error');
  assert.equal(
    (await second.client.containerStats({ containerId: job })).stats?.cpu?.usageCoreNanoSeconds?.value,
    10e9,
  );
  assert.equal(await second.pod('next'), await first.pod('next'), 'the random source goes on too');
});
