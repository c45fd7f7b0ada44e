// Our CRI client on an unmodified containerd: bare calls for pods, commands in containers, and what gRPC costs.
// Needs root, containerd and the test images; a host in a network namespace of its own, gone afterwards.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { build } from 'esbuild';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { type ByteSource, duplexPair } from '../libs/streaming/channel.ts';
import { nodeZlib } from '../libs/streaming/node/zlib.ts';
import { SpdyConnection } from '../libs/streaming/spdy/connection.ts';
import { viewOf } from '../node/cri/changes.ts';
import { type CriClient, execSync } from '../node/cri/cri.ts';
import { connectCri } from '../node/cri/dial/connect.ts';
import { startContainerd, writeCniConfiguration } from '../tests/harness/containerd.ts';
import { hostOf } from '../tests/harness/host.ts';
import { buildImages } from '../tests/harness/images.ts';
import { createNetwork } from '../tests/harness/namespace.ts';
import { startRegistry } from '../tests/harness/registry.ts';
import type { Report } from '../tools/bench/figure.ts';
import { type BarePods, measureBarePods, median, removeBarePod, startBarePod } from './bare-cri.ts';

const IMAGE = 'docker.io/library/behave:latest';
const clock = new RealClock();

async function drained(source: ByteSource): Promise<number> {
  let size = 0;
  for (let chunk = await source.read(); chunk; chunk = await source.read()) size += chunk.length;
  return size;
}

/** What one stream of SPDY carries between two ends in this process. */
async function benchSpdy(report: Report): Promise<void> {
  const bytes = 256 * 1024 * 1024;
  const [near, far] = duplexPair();
  const done = Promise.withResolvers<number>();
  const client = new SpdyConnection({ transport: near, role: 'client', zlib: nodeZlib });
  const server = new SpdyConnection({
    transport: far,
    role: 'server',
    zlib: nodeZlib,
    accept(stream) {
      void stream.reply();
      drained(stream.source).then(done.resolve, done.reject);
    },
  });
  client.start();
  server.start();
  const stream = client.open({ streamtype: 'stdin' });
  await stream.replied;
  const chunk = new Uint8Array(32 * 1024);
  const started = performance.now();
  for (let sent = 0; sent < bytes; sent += chunk.length) await stream.sink.write(chunk);
  await stream.sink.end();
  await done.promise;
  report({
    name: 'spdy: one stream, both ends in one process',
    value: bytes / 1e3 / (performance.now() - started),
    unit: 'MB/s',
  });
  client.destroy();
}

async function benchCalls(report: Report, client: CriClient): Promise<void> {
  const calls = 4000;
  for (const measured of [false, true]) {
    let next = 0;
    const started = performance.now();
    const loop = async () => {
      while (next++ < calls) await client.version({});
    };
    await Promise.all(Array.from({ length: 16 }, loop));
    if (measured)
      report({
        name: 'cri: Version at concurrency 16',
        value: (calls * 1000) / (performance.now() - started),
        unit: '/s',
      });
  }
  const alone: number[] = [];
  for (let i = 0; i < 200; i++) {
    const started = performance.now();
    await client.version({});
    alone.push(performance.now() - started);
  }
  report({ name: 'cri: Version, one after the other', value: median(alone), unit: 'ms' });
}

async function benchCommands(report: Report, pods: BarePods): Promise<void> {
  const { client } = pods;
  const podSandboxId = await startBarePod(pods, 'commands');
  const [container] = (await client.listContainers({ filter: { podSandboxId } })).containers;
  const containerId = container?.id as string;
  const sync: number[] = [];
  const streamed: number[] = [];
  for (let i = 0; i < 15; i++) {
    let started = performance.now();
    await execSync(client, containerId, ['true']);
    sync.push(performance.now() - started);
    started = performance.now();
    const streams = await client.exec({ containerId, cmd: ['true'], stdout: true });
    await streams.status;
    streamed.push(performance.now() - started);
  }
  report({ name: 'cri: execSync of `true`', value: median(sync), unit: 'ms' });
  report({ name: 'cri: exec of `true` through the streaming server', value: median(streamed), unit: 'ms' });
  const bytes = 200_000_000;
  const started = performance.now();
  const streams = await client.exec({ containerId, cmd: ['head', '-c', String(bytes), '/dev/zero'], stdout: true });
  if ((await drained(streams.stdout as ByteSource)) !== bytes) throw new Error('output was lost');
  report({ name: 'cri: output of a command', value: bytes / 1e3 / (performance.now() - started), unit: 'MB/s' });
  await removeBarePod(pods, podSandboxId);
}

async function benchListing(report: Report, pods: BarePods, count: number): Promise<void> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await startBarePod(pods, `idle-${i}`));
  const list = async () => {
    const [sandboxes, containers] = await Promise.all([pods.client.listPodSandbox({}), pods.client.listContainers({})]);
    return viewOf(sandboxes.items, containers.containers);
  };
  for (let i = 0; i < 20; i++) await list();
  const rounds = 100;
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) await list();
  const { user, system } = process.cpuUsage(before);
  report({ name: `cri: our CPU for one listing of ${count} pods`, value: (user + system) / 1000 / rounds, unit: 'ms' });
  await Promise.all(ids.map((id) => removeBarePod(pods, id)));
}

/** Bundled, as they are shipped: sources would count the stripping of types. */
async function benchImport(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-'));
  const entries = { ours: "export * from './libs/grpc/node/http2-channel.ts'", grpc: "export * from '@grpc/grpc-js'" };
  const times: Record<string, number[]> = {};
  const resolveDir = join(import.meta.dirname, '..');
  for (const [name, contents] of Object.entries(entries)) {
    const outfile = join(folder, `${name}.cjs`);
    await build({ stdin: { contents, resolveDir }, bundle: true, platform: 'node', format: 'cjs', outfile });
    const script = `const s=performance.now();require(${JSON.stringify(outfile)});console.log(performance.now()-s)`;
    const runs = Array.from(
      { length: 9 },
      () => spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout,
    );
    times[name] = runs.map(Number);
  }
  rmSync(folder, { recursive: true });
  report({ name: 'grpc: import of our client', value: median(times['ours'] ?? []), unit: 'ms' });
  report({ name: 'grpc: import of @grpc/grpc-js', value: median(times['grpc'] ?? []), unit: 'ms' });
}

export async function bench(report: Report): Promise<void> {
  await benchImport(report);
  await benchSpdy(report);
  const store = await buildImages();
  await using network = await createNetwork({ hosts: 1 });
  const [host] = network.hosts;
  if (!host) throw new Error('no host');
  await using registry = await startRegistry(store, network.hub);
  writeCniConfiguration(host, '10.244.1.0/24');
  const containerd = await startContainerd(host, { registry });
  const client = connectCri(containerd.endpoint, { clock, sockets: hostOf(host).sockets });
  try {
    await client.pullImage({ image: { image: IMAGE } });
    const pods: BarePods = { client, image: IMAGE, args: ['stay'], cgroupParent: host.cgroupParent };
    await benchCalls(report, client);
    const figures = await measureBarePods(pods, { alone: 15, atOnce: 50 });
    report({ name: 'cri: one bare pod, RunPodSandbox → running, p50', value: median(figures.startMs), unit: 'ms' });
    report({ name: 'cri: one bare pod, stop and remove, p50', value: median(figures.removeMs), unit: 'ms' });
    report({ name: 'cri: 50 bare pods at once, all running', value: figures.startAllMs / 1000, unit: 's' });
    report({ name: 'cri: 50 bare pods at once, all removed', value: figures.removeAllMs / 1000, unit: 's' });
    await benchCommands(report, pods);
    await benchListing(report, pods, 50);
  } finally {
    await client.close();
    await containerd.dispose();
  }
}
