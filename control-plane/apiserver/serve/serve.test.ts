import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { after, before, describe, it } from 'node:test';
import * as tls from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { silentLogger } from '../../../libs/base/log.ts';
import { RealClock } from '../../../libs/base/node/real-clock.ts';
import { realRandom } from '../../../libs/base/node/real-random.ts';
import { makeCertificates, type TestCertificates } from '../../../tests/fixtures/tls.ts';
import type { ApiBody, ApiRequest, ApiResponse, WatchFrame, WatchSink } from '../api.ts';
import type { ServeLimits } from './limits.ts';
import { type ServeOptions, type Serving, serve } from './serve.ts';

const clock = new RealClock();
const text = new TextEncoder();
let certificates: TestCertificates;

before(async () => {
  certificates = await makeCertificates(clock.now());
});

/** An answer over either protocol. */
interface Answer {
  readonly code: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
  readonly client?: boolean;
}

const open: Serving[] = [];
after(() => Promise.all(open.map((one) => one.close(0))));

async function start(
  handle: ServeOptions['handle'],
  limits: Partial<ServeLimits> = {},
  upgrade?: ServeOptions['upgrade'],
): Promise<Serving> {
  const { server, authorityPem } = certificates;
  const serving = await serve({
    host: '127.0.0.1',
    port: 0,
    tls: { ...server, clientAuthoritiesPem: authorityPem },
    clock,
    random: realRandom,
    log: silentLogger,
    limits,
    handle,
    ...(upgrade ? { upgrade } : {}),
  });
  open.push(serving);
  return serving;
}

const identity = (client: boolean | undefined) =>
  client ? { cert: certificates.client.certificatePem, key: certificates.client.privateKeyPem } : {};

async function askHttp1(serving: Serving, path: string, asking: Asking = {}): Promise<Answer> {
  const request = https.request({
    host: '127.0.0.1',
    port: serving.port,
    path,
    method: asking.method ?? 'GET',
    headers: asking.headers,
    ca: certificates.authorityPem,
    agent: false,
    ...identity(asking.client),
  });
  request.end(asking.body);
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { code: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

function connect(serving: Serving, client?: boolean): http2.ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${serving.port}`, {
    ca: certificates.authorityPem,
    ...identity(client),
  });
  session.on('error', () => {});
  return session;
}

async function askHttp2(serving: Serving, path: string, asking: Asking = {}): Promise<Answer> {
  const session = connect(serving, asking.client);
  try {
    const stream = session.request({ ':path': path, ':method': asking.method ?? 'GET', ...asking.headers });
    stream.end(asking.body);
    const [headers] = await once(stream, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { code: headers[':status'], headers, body: Buffer.concat(chunks) };
  } finally {
    session.close();
  }
}

const PROTOCOLS = [
  { name: 'HTTP/1.1', ask: askHttp1 },
  { name: 'h2', ask: askHttp2 },
] as const;

function answer(body: ApiBody, rest: Partial<ApiResponse> = {}): ApiResponse {
  return { code: 200, headers: {}, warnings: [], body, ...rest };
}

function whole(content: string | Iterable<Uint8Array>): ApiBody {
  return {
    form: 'whole',
    contentType: 'application/json',
    bytes: () => (typeof content === 'string' ? [text.encode(content)] : content),
    value: () => content,
  };
}

const frame = (line: string): WatchFrame => ({ type: 'ADDED', bytes: () => text.encode(line), value: () => line });

/** A watch whose sink the test holds. */
function watchBody(opened: (sink: WatchSink) => void, closed: () => void = () => {}): ApiBody {
  return {
    form: 'watch',
    contentType: 'application/json',
    open(sink) {
      opened(sink);
      return { close: closed };
    },
  };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return;
    await clock.sleep(5);
  }
  assert.fail(`never: ${what}`);
}

for (const { name, ask } of PROTOCOLS) {
  describe(`serving over ${name}`, () => {
    it('hands over the request and writes the answer', async () => {
      let seen: ApiRequest | undefined;
      const serving = await start(async (request) => {
        seen = request;
        return answer(whole('{"a":1}'), {
          code: 201,
          headers: { 'x-more': 'yes', 'cache-control': 'public' },
          warnings: ['say "hi"', 'once\nmore'],
        });
      });
      const got = await ask(serving, '/api/v1/%61?x=%20&y', {
        method: 'POST',
        body: 'hello',
        headers: { 'content-type': 'text/plain', 'Impersonate-Group': ['a', 'b,c'], 'Audit-ID': 'given' },
      });
      assert.equal(got.code, 201);
      assert.equal(got.body.toString(), '{"a":1}');
      assert.equal(got.headers['content-type'], 'application/json');
      assert.equal(got.headers['content-length'], '7');
      assert.equal(got.headers['audit-id'], 'given');
      assert.equal(got.headers['x-more'], 'yes');
      assert.equal(got.headers['cache-control'], 'public', 'instead of what stands above other answers');
      assert.deepEqual([got.headers.warning].flat().join(', ').split(/, ?/), [
        '299 - "say \\"hi\\""',
        '299 - "once more"',
      ]);
      assert.ok(seen);
      assert.equal(seen.method, 'POST');
      assert.equal(seen.path, '/api/v1/%61');
      assert.equal(seen.query, 'x=%20&y');
      assert.deepEqual(seen.headers['impersonate-group'], ['a', 'b,c']);
      assert.equal(seen.headers['content-type'], 'text/plain');
      assert.equal(seen.headers['audit-id'], 'given');
      assert.ok(Object.keys(seen.headers).every((header) => !header.startsWith(':')));
      assert.equal(Buffer.from((seen.body as { bytes: Uint8Array }).bytes).toString(), 'hello');
      assert.equal(seen.peer.address, '127.0.0.1');
      assert.equal(seen.peer.certificateDer, undefined);
    });

    it('hands over the client’s certificate', async () => {
      let subject = '';
      const serving = await start(async ({ peer }) => {
        subject = new X509Certificate(peer.certificateDer as Uint8Array).subject;
        return answer({ form: 'empty' });
      });
      assert.equal((await ask(serving, '/', { client: true })).code, 200);
      assert.match(subject, /CN=jane/);
    });

    it('answers HEAD without a body', async () => {
      const serving = await start(async () => answer(whole('{"a":1}')));
      const got = await ask(serving, '/', { method: 'HEAD' });
      assert.deepEqual([got.code, got.headers['content-length'], got.body.length], [200, '7', 0]);
    });

    it('refuses a body that is too long, told or not, and goes on', async () => {
      const serving = await start(async () => answer(whole('fine')), { bodyBytesMax: 1000 });
      for (const headers of [{ 'content-length': '1001' }, {}]) {
        const got = await ask(serving, '/', {
          method: 'POST',
          body: Buffer.alloc(1001),
          headers: headers as Record<string, string>,
        });
        assert.equal(got.code, 413);
        assert.deepEqual(JSON.parse(got.body.toString()), {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Failure',
          message: 'Request entity too large: limit is 1000',
          reason: 'RequestEntityTooLarge',
          code: 413,
        });
      }
      assert.equal((await ask(serving, '/', { method: 'POST', body: Buffer.alloc(1000) })).body.toString(), 'fine');
    });

    it('answers 429 to more requests than may be under way, watches aside', async () => {
      const waiting: (() => void)[] = [];
      const serving = await start(
        (request) =>
          request.path === '/now'
            ? Promise.resolve(answer(whole('now')))
            : new Promise((resolve) => waiting.push(() => resolve(answer(whole('late'))))),
        { readingInFlightMax: 2, mutatingInFlightMax: 1 },
      );
      const late = [
        ask(serving, '/a'),
        ask(serving, '/b'),
        ask(serving, '/c', { method: 'PUT' }),
        ask(serving, '/w?watch=true'),
        ask(serving, '/w?x=1&watch=1'),
      ];
      await until(() => waiting.length === 5, 'all requests are under way');
      assert.deepEqual([serving.counts.reading, serving.counts.mutating], [2, 1]);
      for (const method of ['GET', 'PATCH']) {
        const got = await ask(serving, '/now', { method });
        assert.deepEqual(
          [got.code, got.headers['retry-after'], JSON.parse(got.body.toString()).reason],
          [429, '1', 'TooManyRequests'],
        );
      }
      for (const go of waiting) go();
      assert.deepEqual(
        (await Promise.all(late)).map((got) => got.body.toString()),
        Array(5).fill('late'),
      );
      await until(() => serving.counts.reading === 0, 'nothing is under way');
      assert.equal((await ask(serving, '/now')).code, 200);
    });

    it('writes long bodies piece by piece, compressed where the client wants it', async () => {
      const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(64 * 1024, i));
      const expected = Buffer.concat(pieces);
      const serving = await start(async ({ path }) => answer(whole(path === '/lazy' ? pieces.values() : pieces)));
      for (const path of ['/lazy', '/ready']) {
        const plain = await ask(serving, path);
        assert.equal(plain.headers['content-encoding'], undefined);
        assert.ok(plain.body.equals(expected), path);
        const packed = await ask(serving, path, { headers: { 'accept-encoding': 'br, gzip' } });
        assert.equal(packed.headers['content-encoding'], 'gzip');
        assert.ok(packed.body.length < expected.length / 10);
        assert.ok(gunzipSync(packed.body).equals(expected), path);
        const refused = await ask(serving, path, { headers: { 'accept-encoding': 'gzip;q=0' } });
        assert.equal(refused.headers['content-encoding'], undefined);
      }
    });

    it('does not compress short bodies', async () => {
      const serving = await start(async () => answer(whole([text.encode('short')].values())));
      const got = await ask(serving, '/', { headers: { 'accept-encoding': 'gzip' } });
      assert.deepEqual([got.headers['content-encoding'], got.body.toString()], [undefined, 'short']);
    });

    it('streams bytes as they come, and cuts off what breaks in the middle', async () => {
      const serving = await start(async ({ path }) =>
        answer({
          form: 'stream',
          contentType: 'text/plain',
          chunks: (async function* () {
            yield text.encode('one ');
            await clock.sleep(5);
            yield text.encode('two');
            if (path !== '/broken') return;
            // When nothing waits to be written any more, too.
            await clock.sleep(20);
            throw new Error('gone');
          })(),
        }),
      );
      assert.equal((await ask(serving, '/')).body.toString(), 'one two');
      await assert.rejects(ask(serving, '/broken'));
    });

    it('answers 500 when the handler throws', async () => {
      const serving = await start(async () => {
        throw new Error('a bug');
      });
      const got = await ask(serving, '/');
      assert.deepEqual([got.code, JSON.parse(got.body.toString()).message], [500, 'a bug']);
    });

    it('writes what a watch is told, and ends it', async () => {
      let sink: WatchSink | undefined;
      const serving = await start(async () => answer(watchBody((opened) => (sink = opened))));
      const got = ask(serving, '/?watch=1');
      await until(() => sink !== undefined, 'the watch is open');
      assert.equal(serving.counts.watches, 1);
      sink?.event(frame('one\n'));
      sink?.event(frame('two\n'));
      await clock.sleep(10);
      sink?.event(frame('three\n'));
      sink?.end();
      assert.equal((await got).body.toString(), 'one\ntwo\nthree\n');
      await until(() => serving.counts.watches === 0, 'the watch is forgotten');
      assert.equal(sink?.event(frame('late')), false);
    });

    it('lets requests under way finish and ends watches when it closes', async () => {
      let sink: WatchSink | undefined;
      let finish: (() => void) | undefined;
      let closed = 0;
      const serving = await start(async ({ path }) => {
        if (path === '/watch')
          return answer(
            watchBody(
              (opened) => (sink = opened),
              () => closed++,
            ),
          );
        await new Promise<void>((resolve) => (finish = resolve));
        return answer(whole('done'));
      });
      const watch = ask(serving, '/watch?watch=1');
      const slow = ask(serving, '/slow');
      await until(() => sink !== undefined && finish !== undefined, 'both are under way');
      sink?.event(frame('last\n'));
      const over = serving.close(5000);
      assert.equal((await watch).body.toString(), 'last\n');
      finish?.();
      assert.equal((await slow).body.toString(), 'done');
      await over;
      assert.ok(closed >= 1);
      await assert.rejects(ask(serving, '/'));
    });

    it('cuts off what has not finished by the deadline of its closing', async () => {
      let aborted = false;
      const serving = await start(
        (request) =>
          new Promise(() => {
            request.signal.addEventListener('abort', () => (aborted = true));
          }),
      );
      const slow = ask(serving, '/slow').catch(() => 'cut off');
      await until(() => serving.counts.reading === 1, 'it is under way');
      await serving.close(20);
      assert.equal(await slow, 'cut off');
      assert.ok(aborted);
    });
  });
}

describe('serving clients that misbehave', () => {
  /** A bare TLS connection. */
  async function dial(serving: Serving, alpn: string): Promise<tls.TLSSocket> {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: serving.port,
      ca: certificates.authorityPem,
      ALPNProtocols: [alpn],
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  }

  async function readAll(socket: tls.TLSSocket): Promise<string> {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'close');
    return Buffer.concat(chunks).toString();
  }

  it('answers what is no HTTP with 400 and closes', async () => {
    const serving = await start(async () => answer(whole('fine')));
    for (const nonsense of [
      'NO SUCH THING\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n',
      'GET / HTTP/1.1\r\nbad header\r\n\r\n',
    ]) {
      const socket = await dial(serving, 'http/1.1');
      const all = readAll(socket);
      socket.write(nonsense);
      assert.match(await all, /^HTTP\/1.1 400 /);
    }
    const socket = await dial(serving, 'h2');
    const all = readAll(socket);
    socket.write('x'.repeat(100));
    await all;
    assert.equal((await askHttp2(serving, '/')).code, 200);
  });

  it('lets go of headers that never end', async () => {
    const serving = await start(async () => answer(whole('fine')), { headersMs: 100 });
    const socket = await dial(serving, 'http/1.1');
    const all = readAll(socket);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
    assert.match(await all, /^HTTP\/1.1 408 /);
  });

  it('lets go of a body that never ends', async () => {
    const serving = await start(async () => answer(whole('fine')), { requestMs: 100, headersMs: 50 });
    const session = connect(serving);
    const stream = session.request({ ':path': '/', ':method': 'POST' });
    stream.on('error', () => {});
    stream.write('a little');
    await new Promise((resolve) => stream.once('close', resolve));
    assert.equal(serving.counts.mutating, 0);
    session.destroy();
  });

  for (const { name, ask } of PROTOCOLS) {
    it(`refuses headers that are too large over ${name}`, async () => {
      const serving = await start(async () => answer(whole('fine')), { headerBytesMax: 16 * 1024 });
      const headers = { 'x-large': 'x'.repeat(20 * 1024) };
      const got = await ask(serving, '/', { headers }).catch(() => ({ code: 431 }));
      assert.equal(got.code, 431);
      assert.equal((await ask(serving, '/')).code, 200);
    });
  }

  it('does not make a long body for a reader that takes nothing, and cuts it off', async () => {
    let made = 0;
    const serving = await start(
      async () =>
        answer(
          whole(
            (function* () {
              for (; made < 1000; made++) yield Buffer.alloc(256 * 1024);
            })(),
          ),
        ),
      { stalledMs: 200 },
    );
    const socket = await dial(serving, 'http/1.1');
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => made > 0, 'it is being written');
    await until(() => serving.counts.reading === 0, 'it is cut off');
    assert.ok(made < 100, `${made} pieces were made`);
    socket.destroy();

    made = 0;
    const session = connect(serving);
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    stream.pause();
    await until(() => made > 0 && serving.counts.reading === 0, 'it is cut off on h2');
    assert.ok(made < 100, `${made} pieces were made`);
    session.destroy();
  });

  for (const alpn of ['http/1.1', 'h2'] as const) {
    it(`tells a watch when its reader over ${alpn} takes nothing, and when it has gone`, async () => {
      let sink: WatchSink | undefined;
      let closed = false;
      const serving = await start(
        async () =>
          answer(
            watchBody(
              (opened) => (sink = opened),
              () => (closed = true),
            ),
          ),
        { watchBufferBytes: 64 * 1024 },
      );
      let leave: () => void;
      if (alpn === 'h2') {
        const session = connect(serving);
        const stream = session.request({ ':path': '/?watch=1' });
        stream.on('error', () => {});
        leave = () => session.destroy();
      } else {
        const socket = await dial(serving, 'http/1.1');
        socket.pause();
        socket.write('GET /?watch=1 HTTP/1.1\r\nHost: a\r\n\r\n');
        leave = () => socket.destroy();
      }
      await until(() => sink !== undefined, 'the watch is open');
      const line = frame(`${'x'.repeat(32 * 1024)}\n`);
      let told = 0;
      for (; told < 2000 && !sink?.room?.(); told++) {
        sink?.event(line);
        await clock.yield();
      }
      assert.ok(told < 2000, 'it never said that there is no room');
      const room = sink?.room?.();
      leave();
      await room;
      await until(() => closed, 'the watch is closed');
      assert.equal(serving.counts.watches, 0);
    });
  }

  it('makes room again when the reader goes on', async () => {
    let sink: WatchSink | undefined;
    const serving = await start(async () => answer(watchBody((opened) => (sink = opened))), {
      watchBufferBytes: 64 * 1024,
    });
    const session = connect(serving);
    const stream = session.request({ ':path': '/?watch=1' });
    stream.pause();
    await until(() => sink !== undefined, 'the watch is open');
    const line = frame(`${'x'.repeat(32 * 1024 - 1)}\n`);
    let told = 0;
    for (; !sink?.room?.(); told++) {
      sink?.event(line);
      await clock.yield();
    }
    let length = 0;
    stream.on('data', (chunk: Buffer) => (length += chunk.length)).resume();
    await sink?.room?.();
    sink?.event(line);
    sink?.end();
    await once(stream, 'end');
    assert.equal(length, (told + 1) * 32 * 1024);
    session.close();
  });
});

describe('connections', () => {
  it('that come after a renewal get the new certificate, and those before go on', async () => {
    const serving = await start(async () => answer(whole('fine')));
    const before = connect(serving);
    await once(before, 'connect');
    const renewed = await makeCertificates(clock.now());
    serving.renew({ ...renewed.server, clientAuthoritiesPem: renewed.authorityPem });
    await assert.rejects(askHttp1(serving, '/'), /self-signed certificate|unable to/);
    const stream = before.request({ ':path': '/' });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 200);
    before.close();
    const after = http2.connect(`https://127.0.0.1:${serving.port}`, { ca: renewed.authorityPem });
    await once(after, 'connect');
    after.close();
  });

  it('beyond the bound are closed before they cost anything, and there is room again when others have gone', async () => {
    const serving = await start(async () => answer(whole('ok')), { connectionsMax: 2 });
    const dial = async () => {
      const socket = tls.connect({ host: '127.0.0.1', port: serving.port, ca: certificates.authorityPem });
      socket.on('error', () => {});
      const first = await new Promise<string>((resolve) => {
        socket.once('secureConnect', () => resolve('open'));
        socket.once('close', () => resolve('closed'));
      });
      return { socket, first };
    };
    const all = [await dial(), await dial(), await dial()];
    assert.deepEqual(
      all.map(({ first }) => first),
      ['open', 'open', 'closed'],
    );
    all[0]?.socket.destroy();
    while (serving.counts.connections > 1) await clock.sleep(5);
    const next = await dial();
    assert.equal(next.first, 'open');
    for (const { socket } of [...all, next]) socket.destroy();
  });

  it('on which nothing is asked are closed after a while, those with a watch are not', async () => {
    const serving = await start(async () => answer(watchBody(() => {})), { idleMs: 200 });
    const idle = connect(serving);
    const watching = connect(serving);
    const stream = watching.request({ ':path': '/?watch=1' });
    stream.on('error', () => {});
    await once(stream, 'response');
    await once(idle, 'close');
    await clock.sleep(300);
    assert.equal(watching.closed, false);
    watching.destroy();
    const agent = new https.Agent({ keepAlive: true });
    const request = https.get({
      host: '127.0.0.1',
      port: serving.port,
      path: '/?watch=1',
      ca: certificates.authorityPem,
      agent,
    });
    request.on('error', () => {});
    const [response] = await once(request, 'response');
    await clock.sleep(300);
    assert.equal(response.closed, false);
    request.destroy();
    agent.destroy();
  });
});

describe('upgrades', () => {
  it('go to the hook where it wants them, and are answered as plain requests elsewhere', async () => {
    const serving = await start(
      async () => answer(whole('plain')),
      {},
      {
        accepts: ({ path }) => path.endsWith('/exec'),
        handle(request, socket, head) {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
          socket.write(`${request.path}?${request.query} `);
          socket.write(head);
          socket.pipe(socket);
        },
      },
    );
    const wish = { Connection: 'Upgrade', Upgrade: 'echo' };
    assert.equal((await askHttp1(serving, '/other', { headers: wish })).body.toString(), 'plain');
    const request = https.request({
      host: '127.0.0.1',
      port: serving.port,
      path: '/pods/a/exec?c=1',
      headers: wish,
      ca: certificates.authorityPem,
      agent: false,
    });
    request.end();
    const [, socket] = await once(request, 'upgrade');
    socket.write('hello');
    let echoed = '';
    for await (const chunk of socket) {
      echoed += chunk;
      if (echoed.endsWith('hello')) break;
    }
    assert.equal(echoed, '/pods/a/exec?c=1 hello');
    socket.destroy();
  });
});
