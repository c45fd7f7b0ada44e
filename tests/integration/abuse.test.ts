// An API server on a real socket among clients that mean harm or are broken: whatever they do, others are answered, nothing
// is a 500, and what was acknowledged is there.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import * as net from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import { type Serving, serve } from '../../control-plane/apiserver/serve/serve.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { createLogger } from '../../libs/base/log.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { realRandom } from '../../libs/base/node/real-random.ts';
import { makeCertificates, type TestCertificates } from '../fixtures/tls.ts';

/** More on demand: 10,000 want as many descriptors (`ulimit -n`), a gigabyte, and half a minute of a processor. */
const IDLE = Number(process.env['TUTTI_IDLE_CONNECTIONS'] ?? 200);
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const KIB = 1024;

const clock = new RealClock();
let certificates: TestCertificates;
let running: Running;
const errors: string[] = [];

interface Running {
  readonly server: ApiServer;
  readonly serving: Serving;
  stop(deadlineMs: number): Promise<void>;
}

async function start(): Promise<Running> {
  const keys = new NodeKeys();
  const log = createLogger(
    'abuse',
    clock,
    ({ message, fields }) => void errors.push(`${message} ${fields['error']}`),
    'error',
  );
  const store = new MemoryStore({ clock, random: realRandom });
  const server = createDefaultServer({
    store,
    clock,
    random: realRandom,
    keys,
    log,
    clientAuthorityPem: certificates.authorityPem,
    serviceAccountKey: await keys.generateKey('sa'),
    serverAddress: '127.0.0.1:6443',
    platform: 'linux/amd64',
    runtime: 'test',
  });
  await server.start();
  const { authorityPem } = certificates;
  const serving = await serve({
    host: '127.0.0.1',
    port: 0,
    tls: { ...certificates.server, clientAuthoritiesPem: authorityPem },
    clock,
    random: realRandom,
    log,
    limits: { headersMs: 1000, requestMs: 1000, stalledMs: 1000, streamsPerConnectionMax: 100 },
    handle: (request) => server.handle(request),
  });
  return {
    server,
    serving,
    async stop(deadlineMs) {
      await serving.close(deadlineMs);
      await server.stop();
      await store.close();
    },
  };
}

before(async () => {
  certificates = await makeCertificates(clock.now());
  running = await start();
});
after(() => running.stop(100));
beforeEach(() => void errors.splice(0));

const identity = () => ({
  ca: certificates.authorityPem,
  cert: certificates.admin.certificatePem,
  key: certificates.admin.privateKeyPem,
});

async function connectTls(protocol: 'http/1.1' | 'h2', to = running): Promise<tls.TLSSocket> {
  const socket = tls.connect({ host: '127.0.0.1', port: to.serving.port, ALPNProtocols: [protocol], ...identity() });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

function connectHttp2(to = running): http2.ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${to.serving.port}`, identity());
  session.on('error', () => {});
  return session;
}

/** One request over a connection of its own; the code and the text. */
async function ask(method: string, path: string, body?: unknown): Promise<{ code: number; text: string }> {
  const session = connectHttp2();
  try {
    const headers = { ':method': method, ':path': path, 'content-type': 'application/json' };
    const stream = session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(JSON.stringify(body));
    const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    let text = '';
    for await (const chunk of stream) text += chunk;
    return { code: Number(answer[':status']), text };
  } finally {
    session.destroy();
  }
}

async function isWell(): Promise<void> {
  const { code, text } = await ask('GET', '/readyz');
  assert.equal(code, 200, text);
  assert.deepEqual(errors, []);
}

/** Resolves once the server has let go, and says what it had sent. */
async function closed(socket: net.Socket, withinMs: number): Promise<string> {
  let said = '';
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
  });
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (!socket.closed)
    await Promise.race([gone, sleep(withinMs, undefined, { ref: false }).then(() => assert.fail('it is still open'))]);
  return said;
}

const FRAME = { settings: 4, ping: 6, headers: 1, continuation: 9, data: 0, windowUpdate: 8 } as const;

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, 0, 0)]);

describe('TLS that is none, or stops in the middle', () => {
  for (const [name, bytes] of [
    ['plain HTTP', Buffer.from('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['noise', Buffer.alloc(4096, 0xa5)],
    ['the beginning of a greeting', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ['a record longer than any', Buffer.from([0x16, 3, 1, 0xff, 0xff, 1])],
  ] as const) {
    it(name, { timeout: 20_000 }, async () => {
      const socket = net.connect({ host: '127.0.0.1', port: running.serving.port });
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(bytes);
      await sleep(50);
      await isWell();
      socket.destroy();
      await isWell();
    });
  }
});

describe('HTTP/1.1 that is broken', () => {
  for (const [name, text] of [
    [
      'two lengths',
      'POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd',
    ],
    [
      'a length and chunks',
      'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a chunk of no size', 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a null in a header', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n'],
    ['a line that never ends', `GET /${'a'.repeat(200 * KIB)}`],
    ['a body cut short', 'POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{"a'],
    ['headers a letter at a time', 'GET / HTTP/1.1\r\nHost'],
  ] as const) {
    it(name, { timeout: 20_000 }, async () => {
      const socket = await connectTls('http/1.1');
      const end = closed(socket, 10_000);
      socket.write(Buffer.from(text, 'latin1'));
      const code = Number(/^HTTP\/1\.1 (\d+)/.exec(await end)?.[1] ?? 0);
      assert.ok(code === 0 || (code >= 400 && code < 500), `the answer is ${code}`);
      await isWell();
    });
  }
});

describe('HTTP/2 that floods', () => {
  const flood = async (frames: Buffer, times: number) => {
    const socket = await connectTls('h2');
    socket.on('data', () => {});
    socket.write(PREFACE);
    for (let i = 0; i < times && !socket.destroyed; i++) {
      if (!socket.write(frames)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), sleep(100)]);
    }
    await isWell();
    socket.destroy();
    await isWell();
  };
  const many = (one: Buffer) => Buffer.concat(Array.from({ length: 200 }, () => one));

  it('of settings', () => flood(many(frame(FRAME.settings, 0, 0)), 100));
  it('of pings', () => flood(many(frame(FRAME.ping, 0, 0, Buffer.alloc(8))), 100));
  it('of empty data', () => flood(many(frame(FRAME.data, 0, 1)), 100));
  it('of headers that go on and on', () =>
    flood(
      Buffer.concat([
        frame(FRAME.headers, 0, 1, Buffer.alloc(16_000, 0x40)),
        ...Array.from({ length: 64 }, () => frame(FRAME.continuation, 0, 1, Buffer.alloc(16_000))),
      ]),
      4,
    ));
  it('of window updates beyond what can be', () =>
    flood(frame(FRAME.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])), 10));

  it('of requests that are taken back at once', { timeout: 30_000 }, async () => {
    const session = connectHttp2();
    for (let i = 0; i < 3000 && !session.destroyed && !session.closed; i++) {
      const stream = session.request({ ':path': `${CONFIG_MAPS}?limit=1` });
      stream.on('error', () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (i % 100 === 0) await sleep(1);
    }
    await isWell();
    session.destroy();
    await sleep(50);
    assert.deepEqual(
      { ...running.serving.counts, connections: 0 },
      { mutating: 0, reading: 0, watches: 0, connections: 0 },
    );
  });

  it('of more streams than a connection may have', { timeout: 20_000 }, async () => {
    const session = connectHttp2();
    await once(session, 'remoteSettings');
    const streams = Array.from({ length: 500 }, () => session.request({ ':path': `${CONFIG_MAPS}?watch=true` }));
    for (const stream of streams) stream.on('error', () => {}).resume();
    await sleep(300);
    assert.ok(running.serving.counts.watches <= 100, `${running.serving.counts.watches} watches`);
    await isWell();
    session.destroy();
  });
});

/** One request as text and headers, over either protocol; 0: the server let go without an answer. */
type Send = (
  path: string,
  options: { headers?: Record<string, string>; body?: readonly Buffer[]; pauseMs?: number; cut?: boolean },
) => Promise<{ code: number; text: string; warnings: string }>;

const GONE = { code: 0, text: '', warnings: '' };

/** Sends the pieces with pauses between them; `cut`: and lets go before the body is whole. */
async function writePieces(
  to: NodeJS.WritableStream & { destroyed?: boolean },
  { body = [], pauseMs = 0 }: Parameters<Send>[1],
): Promise<void> {
  for (const piece of body) {
    if (to.destroyed) return;
    to.write(piece);
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

const overHttp1: Send = async (path, options) => {
  const agent = new https.Agent({ maxSockets: 1 });
  const { headers = {}, body, cut } = options;
  const request = https.request({
    ...identity(),
    agent,
    host: '127.0.0.1',
    port: running.serving.port,
    path,
    method: body ? 'POST' : 'GET',
    headers,
  });
  try {
    const answered = once(request, 'response').catch(() => undefined);
    const done = writePieces(request, options).then(() => (cut ? request.destroy() : request.end()));
    const [response] = ((await answered) ?? []) as [IncomingMessage?];
    await done;
    if (!response) return GONE;
    let text = '';
    for await (const chunk of response) text += chunk;
    return { code: response.statusCode ?? 0, text, warnings: String(response.headers['warning'] ?? '') };
  } catch {
    return GONE;
  } finally {
    agent.destroy();
  }
};

const overHttp2: Send = async (path, options) => {
  const session = connectHttp2();
  const { headers = {}, body, cut } = options;
  try {
    const stream = session.request(
      { ':method': body ? 'POST' : 'GET', ':path': path, ...headers },
      { endStream: !body },
    );
    stream.on('error', () => {});
    const answered = Promise.race([once(stream, 'response'), once(stream, 'close').then(() => undefined)]);
    const done = body
      ? writePieces(stream, options).then(() => (cut ? stream.close(http2.constants.NGHTTP2_CANCEL) : stream.end()))
      : undefined;
    const [answer] = ((await answered) ?? []) as [http2.IncomingHttpHeaders?];
    await done;
    if (!answer) return GONE;
    let text = '';
    for await (const chunk of stream) text += chunk;
    return { code: Number(answer[':status']), text, warnings: String(answer['warning'] ?? '') };
  } catch {
    return GONE;
  } finally {
    session.destroy();
  }
};

for (const [protocol, send] of [
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
] as const) {
  describe(`requests over ${protocol}`, () => {
    const json = { 'content-type': 'application/json' };
    const tag = protocol.at(-1);
    const isAbsent = async (name: string) => assert.equal((await ask('GET', `${CONFIG_MAPS}/${name}`)).code, 404);

    it('with a body that comes a letter at a time and for ever', { timeout: 20_000 }, async () => {
      const letters = Array.from(`{"metadata":{"name":"slow-${tag}"${' '.repeat(80)}}}`, (one) => Buffer.from(one));
      const began = performance.now();
      const { code } = await send(CONFIG_MAPS, { headers: json, body: letters, pauseMs: 50 });
      assert.ok(code === 0 || code === 408, `the answer is ${code}`);
      assert.ok(performance.now() - began < 10_000, 'it was waited for too long');
      await isAbsent(`slow-${tag}`);
      await isWell();
    });

    it('with a body that stops in the middle', { timeout: 20_000 }, async () => {
      const half = [Buffer.from(`{"metadata":{"name":"half-${tag}"},`)];
      const { code } = await send(CONFIG_MAPS, { headers: json, body: half, pauseMs: 50, cut: true });
      assert.equal(code, 0);
      await isAbsent(`half-${tag}`);
      for (let waited = 0; running.serving.counts.mutating > 0 && waited < 3000; waited += 20) await sleep(20);
      assert.equal(running.serving.counts.mutating, 0);
      await isWell();
    });

    it('with a body that ends in the middle of a word', { timeout: 20_000 }, async () => {
      const { code, text } = await send(CONFIG_MAPS, { headers: json, body: [Buffer.from('{"metadata":{"na')] });
      assert.equal(code, 400, text);
      assert.equal(JSON.parse(text).reason, 'BadRequest');
      await isWell();
    });

    it('with a key twice: refused or told, as it is asked for', { timeout: 20_000 }, async () => {
      const twice = (name: string) => [Buffer.from(`{"metadata":{"name":"${name}"},"data":{"a":"1","a":"2"}}`)];
      const strict = await send(`${CONFIG_MAPS}?fieldValidation=Strict`, {
        headers: json,
        body: twice(`strict-${tag}`),
      });
      assert.equal(strict.code, 400);
      assert.match(JSON.parse(strict.text).message, /strict decoding error: duplicate field "data\.a"/);
      const warned = await send(CONFIG_MAPS, { headers: json, body: twice(`warned-${tag}`) });
      assert.equal(warned.code, 201);
      assert.match(warned.warnings, /duplicate field \\?"data\.a\\?"/);
      assert.equal(JSON.parse(warned.text).data.a, '2');
      const ignored = await send(`${CONFIG_MAPS}?fieldValidation=Ignore`, {
        headers: json,
        body: twice(`ignored-${tag}`),
      });
      assert.deepEqual([ignored.code, ignored.warnings], [201, '']);
      await isWell();
    });

    it('with headers beyond all measure', { timeout: 20_000 }, async () => {
      const { code } = await send('/readyz', { headers: { 'x-large': 'x'.repeat(300 * KIB) } });
      assert.ok(code === 0 || code === 431, `the answer is ${code}`);
      const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x-${i}`, 'x'.repeat(100)]));
      const { code: ofMany } = await send('/readyz', { headers: many });
      assert.ok(ofMany === 0 || ofMany === 431, `the answer is ${ofMany}`);
      await isWell();
    });

    it('with a body longer than may be', { timeout: 20_000 }, async () => {
      const mebibytes = Array.from({ length: 5 }, () => Buffer.alloc(KIB * KIB, 0x20));
      const { code } = await send(CONFIG_MAPS, { headers: json, body: mebibytes });
      assert.ok(code === 0 || code === 413, `the answer is ${code}`);
      await isWell();
    });

    it('in a form that nobody knows, and as deep as fits', { timeout: 20_000 }, async () => {
      const unknown = await send(CONFIG_MAPS, {
        headers: { 'content-type': 'application/x' },
        body: [Buffer.from('x')],
      });
      assert.equal(unknown.code, 415);
      const deep = Buffer.from(`${'['.repeat(200_000)}${']'.repeat(200_000)}`);
      assert.equal((await send(CONFIG_MAPS, { headers: json, body: [deep] })).code, 400);
      await isWell();
    });
  });
}

describe('connections that want nothing', () => {
  it(`${IDLE} of them hold up nobody, and go when they are gone`, { timeout: 240_000 }, async () => {
    const before = running.serving.counts.connections;
    const program = fileURLToPath(new URL('../fixtures/idle-connections.ts', import.meta.url));
    const child = spawn(process.execPath, [program, String(running.serving.port), String(IDLE)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      child.stdin.write(certificates.authorityPem);
      const [said] = await once(child.stdout, 'data');
      assert.equal(String(said).trim(), `open ${IDLE}`);
      // The server's end of the last handshakes may be a moment later.
      for (let waited = 0; running.serving.counts.connections < IDLE && waited < 5000; waited += 20) await sleep(20);
      assert.ok(running.serving.counts.connections >= IDLE);
      const began = performance.now();
      await isWell();
      assert.ok(performance.now() - began < 2000, 'a request among them takes too long');
    } finally {
      child.kill();
    }
    for (let waited = 0; running.serving.counts.connections > before && waited < 10_000; waited += 20) await sleep(20);
    assert.ok(running.serving.counts.connections <= before);
  });
});

/** Begins a watch and reads nothing of it but that it has begun. */
async function watchWithoutReading(protocol: 'http/1.1' | 'h2'): Promise<() => void> {
  const path = `${CONFIG_MAPS}?watch=true`;
  if (protocol === 'http/1.1') {
    const socket = await connectTls('http/1.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    return () => socket.destroy();
  }
  const session = http2.connect(`https://127.0.0.1:${running.serving.port}`, {
    ...identity(),
    settings: { initialWindowSize: 16 * KIB },
  });
  session.on('error', () => {});
  const stream = session.request({ ':path': path });
  stream.on('error', () => {});
  await once(stream, 'response');
  stream.pause();
  return () => session.destroy();
}

describe('a watcher that never reads', () => {
  for (const protocol of ['http/1.1', 'h2'] as const) {
    it(`over ${protocol} does not make the server keep what it does not take`, { timeout: 60_000 }, async () => {
      const leave = await watchWithoutReading(protocol);
      const name = `large-${protocol.replace(/\W/g, '-')}`;
      const data = { k: 'v'.repeat(100 * KIB) };
      assert.equal((await ask('POST', CONFIG_MAPS, { metadata: { name }, data })).code, 201);
      globalThis.gc?.();
      const heldBefore = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 100; i++) {
        const changed = { metadata: { name }, data: { ...data, n: String(i) } };
        assert.equal((await ask('PUT', `${CONFIG_MAPS}/${name}`, changed)).code, 200);
      }
      globalThis.gc?.();
      // 100 events of 100 KiB: the history keeps its own bound of them, the reader's connection next to nothing more.
      const grown = process.memoryUsage().arrayBuffers - heldBefore;
      assert.ok(grown < 80 * KIB * KIB, `${Math.round(grown / KIB)} KiB more`);
      await isWell();
      leave();
      for (let waited = 0; running.serving.counts.watches > 0 && waited < 3000; waited += 20) await sleep(20);
      assert.equal(running.serving.counts.watches, 0);
    });
  }
});

describe('a server that stops', () => {
  it('has every write that it acknowledged, and ends watches cleanly', { timeout: 30_000 }, async () => {
    const stopping = await start();
    const watching = connectHttp2(stopping);
    const watch = watching.request({ ':path': `${CONFIG_MAPS}?watch=true&resourceVersion=0` });
    let watchError: unknown;
    watch.on('error', (error) => {
      watchError = error;
    });
    await once(watch, 'response');
    watch.resume();
    const watchEnded = once(watch, 'end');
    const writing = connectHttp2(stopping);
    const acknowledged: string[] = [];
    let sent = 0;
    const write = async () => {
      while (!writing.closed && !writing.destroyed) {
        const name = `w-${sent++}`;
        const stream = writing.request({ ':method': 'POST', ':path': CONFIG_MAPS, 'content-type': 'application/json' });
        stream.on('error', () => {});
        stream.end(JSON.stringify({ metadata: { name } }));
        const [headers] = (await Promise.race([once(stream, 'response'), once(stream, 'close').then(() => [{}])])) as [
          http2.IncomingHttpHeaders,
        ];
        if (Number(headers[':status']) === 201) acknowledged.push(name);
        else return;
        stream.resume();
      }
    };
    const writers = Array.from({ length: 8 }, () => write().catch(() => {}));
    await sleep(100);
    await stopping.serving.close(3000);
    await Promise.all(writers);
    await watchEnded;
    assert.equal(watchError, undefined, 'the watch was cut off');
    assert.ok(acknowledged.length > 10, `${acknowledged.length} writes were acknowledged`);
    const { caches, kinds } = stopping.server.engine;
    const kind = kinds.find('', 'v1', 'configmaps')?.kind;
    assert.ok(kind);
    const there = new Set(
      caches
        .resource(kind)
        .all()
        .map(({ name }) => name),
    );
    assert.deepEqual(
      acknowledged.filter((name) => !there.has(name)),
      [],
    );
    watching.destroy();
    writing.destroy();
    await stopping.stop(0);
  });
});
