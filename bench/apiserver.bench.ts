// An API server as a user runs it (TLS, RBAC, managed fields, fsync), measured from another process over 32 connections,
// and beside it the platform's own HTTP server, which writes the same bytes without knowing what they are.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Report } from '../tools/bench/figure.ts';
import { bundleProgram } from '../tools/build/bundle.ts';
import type { Listening, ServerFigures } from './apiserver/server.ts';
import { Wire } from './apiserver/wire.ts';

const CONNECTIONS = 32;
const OBJECTS = 18_600;
const WATCHERS = 1000;
const SECONDS = 4;
const STARTS = 5;
/** So many come first: until then both sides still compile what is hot, and the slowest writes are those. */
const WARM_WRITES = 60;

interface Server extends Listening {
  readonly process: ChildProcess;
}

const root = join(import.meta.dirname, '..');
const SOURCE = join(root, 'bench/apiserver/server.ts');
const BUNDLE = '.cache/bench/apiserver';

/** As the clone's own programs are started. */
const SOURCE_MODULES = pathToFileURL(join(root, 'tools/source-modules.mjs')).href;

const start = (...args: string[]): Promise<Server> => startProgram(SOURCE, ...args);

async function startProgram(program: string, ...args: string[]): Promise<Server> {
  const child = fork(program, args, { execArgv: program === SOURCE ? ['--import', SOURCE_MODULES] : [] });
  const ended = once(child, 'exit').then(([code]) => assert.fail(`the server ended with ${code} before it listened`));
  const [listening] = (await Promise.race([once(child, 'message'), ended])) as [Listening];
  ended.catch(() => {});
  return { ...listening, process: child };
}

async function figuresOf(server: Server): Promise<ServerFigures> {
  server.process.send('figures');
  const [figures] = (await once(server.process, 'message')) as [ServerFigures];
  return figures;
}

async function stop(server: Server): Promise<void> {
  server.process.disconnect();
  if (server.process.exitCode === null) await once(server.process, 'exit');
}

/** Asks from all connections at once for some seconds; answers a second, bytes a second. */
async function load(
  server: Server,
  connections: number,
  request: (n: number) => Buffer,
  code: number,
  most = Number.POSITIVE_INFINITY,
) {
  const wires = await Promise.all(Array.from({ length: connections }, () => Wire.connect(server)));
  let answers = 0;
  let bytes = 0;
  let next = 0;
  const began = performance.now();
  const until = began + (most === Number.POSITIVE_INFINITY ? SECONDS * 1000 : 120_000);
  await Promise.all(
    wires.map(async (wire) => {
      while (performance.now() < until && next < most) {
        const answer = await wire.ask(request(next++));
        assert.equal(answer.code, code);
        answers++;
        bytes += answer.bytes;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const wire of wires) wire.close();
  return { perSecond: answers / seconds, bytesPerSecond: bytes / seconds, answers, bytes };
}

const path = '/api/v1/namespaces/default/configmaps';
const nameOf = (n: number) => `some-config-${String((n * 7919) % OBJECTS).padStart(6, '0')}`;

/** A ConfigMap that takes about 1 KB as it is stored. */
function configMap(name: string): string {
  return JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name }, data: { k: 'v'.repeat(600) } });
}

async function getJson(
  session: http2.ClientHttp2Session,
  target: string,
): Promise<{ metadata: { resourceVersion: string } }> {
  const stream = session.request({ ':path': target });
  let text = '';
  for await (const chunk of stream) text += chunk;
  return JSON.parse(text);
}

/** The median of some starts of the API server, at the same port, after one that is not counted. */
async function secondsToReady(program: string, folder: string): Promise<number> {
  const seconds: number[] = [];
  let port = 0;
  for (let run = 0; run <= STARTS; run++) {
    const began = performance.now();
    const server = await startProgram(program, 'api', folder, '', String(port));
    port = server.port;
    const wire = await Wire.connect(server);
    assert.equal((await wire.ask(Wire.request('GET', '/readyz'))).code, 200);
    if (run > 0) seconds.push((performance.now() - began) / 1000);
    wire.close();
    await stop(server);
  }
  return seconds.sort((a, b) => a - b)[STARTS >> 1] as number;
}

/** One write at a time to many watchers: milliseconds until each was told, sorted. */
async function fanOut(server: Server, warmUps: number, writes: number): Promise<number[]> {
  const sessions = Array.from({ length: 10 }, () =>
    http2.connect(`https://127.0.0.1:${server.port}`, {
      ca: server.caPem,
      cert: server.certificatePem,
      key: server.privateKeyPem,
      settings: { initialWindowSize: 1024 * 1024 },
    }),
  );
  const { metadata } = await getJson(sessions[0] as http2.ClientHttp2Session, `${path}?limit=1`);
  const watch = `${path}?watch=true&resourceVersion=${metadata.resourceVersion}`;
  let told = 0;
  let allTold: () => void = () => {};
  let began = 0;
  const delays: number[] = [];
  await Promise.all(
    Array.from({ length: WATCHERS }, async (_, i) => {
      const session = sessions[i % sessions.length] as http2.ClientHttp2Session;
      const stream = session.request({ ':path': watch });
      stream.on('error', () => {});
      await once(stream, 'response');
      stream.on('data', (chunk: Buffer) => {
        if (began === 0 || !chunk.includes(10)) return;
        delays.push(performance.now() - began);
        if (++told === WATCHERS) allTold();
      });
    }),
  );
  const wire = await Wire.connect(server);
  for (let n = 0; n < warmUps + writes; n++) {
    if (n === warmUps) delays.length = 0;
    told = 0;
    const all = new Promise<void>((resolve) => {
      allTold = resolve;
    });
    began = performance.now();
    await wire.ask(Wire.request('POST', path, configMap(`watched-${n}`)));
    await all;
    began = 0;
    await setTimeout(50);
  }
  wire.close();
  for (const session of sessions) session.destroy();
  return delays.sort((a, b) => a - b);
}

export async function bench(report: Report): Promise<void> {
  for (const measured of [measureCreates, measure]) {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-'));
    try {
      await measured(folder, report);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** Twice as many as there are in the rest: the first half from the very start, the second once the server is warm. */
async function measureCreates(folder: string, report: Report): Promise<void> {
  const server = await start('api', folder);
  const creates = (prefix: string) => {
    const request = (n: number) => Wire.request('POST', path, configMap(`${prefix}${nameOf(n)}`));
    return load(server, CONNECTIONS, request, 201, OBJECTS);
  };
  const cold = await creates('');
  await figuresOf(server);
  const warm = await creates('more-');
  const { loopDelayP99Ms } = await figuresOf(server);
  await stop(server);
  const name = 'durable create of a 1 KB ConfigMap';
  report({ name, value: warm.perSecond, unit: '/s', atLeast: 5000, upstream: '2,316' });
  report({ name: 'the same, from the start of the server on', value: cold.perSecond, unit: '/s' });
  report({ name: 'event-loop delay p99 under creates', value: loopDelayP99Ms, unit: 'ms', atMost: 10 });
}

async function measure(folder: string, report: Report): Promise<void> {
  const bare = await start('bare');
  const bareGet = await load(bare, CONNECTIONS, () => Wire.request('GET', '/object'), 200);
  const bareList = await load(bare, 2, () => Wire.request('GET', '/list'), 200);
  await stop(bare);
  report({ name: 'GET of 1 KB, bare server', value: bareGet.perSecond, unit: '/s' });
  report({ name: 'LIST, bare server', value: bareList.bytesPerSecond / 1e9, unit: 'GB/s' });

  let server = await start('api', folder);
  await load(server, CONNECTIONS, (n) => Wire.request('POST', path, configMap(nameOf(n))), 201, OBJECTS);
  await figuresOf(server);
  const gets = await load(server, CONNECTIONS, (n) => Wire.request('GET', `${path}/${nameOf(n)}`), 200);
  report({ name: 'GET of 1 KB', value: gets.perSecond, unit: '/s', atLeast: 15_000, upstream: '4,911' });
  report({ name: 'GET, share of the bare server', value: (100 * gets.perSecond) / bareGet.perSecond, unit: '%' });
  const lists = await load(server, 2, () => Wire.request('GET', path), 200);
  report({ name: 'LIST of 18,600', value: lists.bytesPerSecond / 1e9, unit: 'GB/s', atLeast: 1, upstream: '0.23' });
  report({
    name: 'LIST, share of the bare server',
    value: (100 * lists.bytesPerSecond) / bareList.bytesPerSecond,
    unit: '%',
  });
  const { loopDelayP99Ms } = await figuresOf(server);
  report({ name: 'event-loop delay p99 under reads', value: loopDelayP99Ms, unit: 'ms', atMost: 10 });
  const delays = await fanOut(server, WARM_WRITES, 50);
  const { loopDelayP99Ms: toldDelayMs } = await figuresOf(server);
  report({
    name: 'one write to 1,000 watchers, p99',
    value: delays[Math.floor(delays.length * 0.99)] ?? 0,
    unit: 'ms',
    atMost: 30,
    upstream: '86',
  });
  report({ name: 'event-loop delay p99 while they are told', value: toldDelayMs, unit: 'ms', atMost: 10 });
  await stop(server);

  await bundleProgram(root, { server: 'bench/apiserver/server.ts' }, BUNDLE);
  const empty = mkdtempSync(join(tmpdir(), 'tutti-bench-'));
  try {
    for (const [data, at, atMost] of [
      ['with 18,600 objects', folder, 0.6],
      ['without objects', empty, 0.4],
    ] as const) {
      const name = `start → /readyz ${data}`;
      const published = await secondsToReady(join(root, BUNDLE, 'server.mjs'), at);
      report({ name: `${name}, as published`, value: published, unit: 's', atMost, upstream: '2.5' });
      report({ name: `${name}, from source`, value: await secondsToReady(SOURCE, at), unit: 's', atMost });
    }
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
  server = await start('api', folder);
  const wire = await Wire.connect(server);
  await wire.ask(Wire.request('GET', path));
  const { rssBytes } = await figuresOf(server);
  report({
    name: 'memory with 18,600 ConfigMaps',
    value: rssBytes / 2 ** 20,
    unit: 'MB',
    atMost: 300,
    upstream: '746',
  });
  wire.close();
  await stop(server);
}
