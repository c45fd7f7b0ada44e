import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { makeCertificates, type TestCertificates } from '../../../tests/fixtures/tls.ts';
import { RealClock } from '../../base/node/real-clock.ts';
import { TransportError } from '../../kind/client.ts';
import { ApiError, expired } from '../../machinery/errors.ts';
import type { TransportWatchSink } from '../transport.ts';
import { type HttpsTransport, type HttpsTransportOptions, httpsTransport } from './https-transport.ts';

const clock = new RealClock();
let certificates: TestCertificates;
const cleanups: (() => Promise<unknown> | unknown)[] = [];

before(async () => {
  certificates = await makeCertificates(clock.now());
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

type Handler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

/** An HTTP/2 server, and a transport to it. */
async function start(handler: Handler, options: Partial<HttpsTransportOptions> = {}) {
  const { server: own, authorityPem } = certificates;
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createSecureServer({
    key: own.privateKeyPem,
    cert: own.certificatePem,
    ca: authorityPem,
    requestCert: true,
    rejectUnauthorized: false,
    settings: { maxConcurrentStreams: 10 },
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handler(stream as http2.ServerHttp2Stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const transport: HttpsTransport = httpsTransport({
    server: `https://127.0.0.1:${port}`,
    caPem: authorityPem,
    clock,
    ...options,
  });
  cleanups.push(async () => {
    await transport.close();
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { transport, server, sessions, port };
}

/** Whose certificate the client showed. */
function subjectOf({ session }: http2.ServerHttp2Stream): string | undefined {
  const socket = session?.socket as TLSSocket | undefined;
  return socket?.getPeerX509Certificate()?.subject;
}

function json(stream: http2.ServerHttp2Stream, value: unknown, code = 200): void {
  stream.respond({ ':status': code, 'content-type': 'application/json' });
  stream.end(typeof value === 'string' ? value : JSON.stringify(value));
}

const get = (path: string, more: { signal?: AbortSignal } = {}) => ({
  method: 'GET',
  path,
  query: '',
  headers: {},
  ...more,
});

/** Remembers what a watch tells. */
class Told implements TransportWatchSink {
  readonly events: unknown[] = [];
  readonly over: Promise<Error | undefined>;
  ended: (error: Error | undefined) => void = () => {};
  room?: () => Promise<void> | undefined;
  constructor() {
    this.over = new Promise((resolve) => {
      this.ended = resolve;
    });
  }
  event(type: string, object: unknown): void {
    this.events.push([type, object]);
  }
}

describe('the HTTPS transport', () => {
  it('sends requests with credentials, and gives frozen, exact values', async () => {
    const { transport } = await start(
      async (stream, headers) => {
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk);
        const certificate = subjectOf(stream);
        const body = Buffer.concat(chunks).toString();
        json(
          stream,
          `{"headers":${JSON.stringify(headers)},"body":${JSON.stringify(body)},"certificate":${JSON.stringify(certificate)},"big":9007199254740993}`,
        );
      },
      { token: () => 'secret', certificate: () => certificates.client, userAgent: 'tester' },
    );
    const response = await transport.request({
      method: 'POST',
      path: '/api/v1/pods',
      query: 'dryRun=All',
      headers: { 'content-type': 'application/json' },
      body: { big: 9007199254740993n },
    });
    const value = response.value as { headers: Record<string, string>; body: string; certificate: string; big: bigint };
    assert.equal(response.code, 200);
    assert.equal(value.headers[':path'], '/api/v1/pods?dryRun=All');
    assert.equal(value.headers.authorization, 'Bearer secret');
    assert.equal(value.headers['user-agent'], 'tester');
    assert.equal(value.headers.accept, 'application/json');
    assert.equal(value.body, '{"big":9007199254740993}');
    assert.match(value.certificate, /CN=jane/);
    assert.equal(value.big, 9007199254740993n);
    assert.ok(Object.isFrozen(value.headers));
  });

  it('gives text as text, and the answer’s code whatever it is', async () => {
    const { transport } = await start((stream) => {
      stream.respond({ ':status': 404, 'content-type': 'text/plain' });
      stream.end('404 page not found\n');
    });
    const response = await transport.request(get('/nothing'));
    assert.deepEqual([response.code, response.value], [404, '404 page not found\n']);
  });

  it('uses more connections when one has no room for more', async () => {
    const waiting: http2.ServerHttp2Stream[] = [];
    const { transport, sessions } = await start((stream) => {
      waiting.push(stream);
      if (waiting.length === 25) for (const each of waiting) json(each, {});
    });
    await Promise.all(Array.from({ length: 25 }, () => transport.request(get('/'))));
    assert.equal(sessions.size, 3);
  });

  it('says that nothing was sent where there is no server', async () => {
    const { transport, server } = await start(() => {});
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(transport.request(get('/')), (error) => error instanceof TransportError && !error.sent);
  });

  it('says that a request may have been done when its connection broke', async () => {
    const { transport, sessions } = await start((stream, headers) => {
      if (headers[':path'] === '/fine') json(stream, {});
      else for (const session of sessions) session.destroy();
    });
    await assert.rejects(transport.request(get('/')), (error) => error instanceof TransportError && error.sent);
    // And makes a new connection for the next.
    assert.equal((await transport.request(get('/fine'))).code, 200);
  });

  it('sends a request again that the server has refused to look at', async () => {
    let tries = 0;
    const { transport } = await start((stream) => {
      if (++tries < 3) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else json(stream, { tries });
    });
    assert.deepEqual((await transport.request(get('/'))).value, { tries: 3 });
  });

  it('does not take half an answer for a whole one', async () => {
    const { transport } = await start((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      stream.write('{"half":');
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    });
    await assert.rejects(transport.request(get('/')), TransportError);
  });

  it('lets its caller give up, before the answer and in the middle of it', async () => {
    const { transport } = await start((stream, headers) => {
      if (headers[':path'] === '/middle') {
        stream.respond({ ':status': 200, 'content-type': 'application/json' });
        stream.write('{');
      }
    });
    for (const path of ['/before', '/middle']) {
      const stop = new AbortController();
      const answer = transport.request(get(path, { signal: stop.signal }));
      await clock.sleep(20);
      stop.abort(new Error('enough'));
      await assert.rejects(answer, /enough/);
    }
  });

  it('refuses a server that it does not know', async () => {
    const other = await makeCertificates(clock.now());
    const { transport } = await start((stream) => json(stream, {}), { caPem: other.authorityPem });
    await assert.rejects(transport.request(get('/')), (error) => error instanceof TransportError && !error.sent);
  });

  it('takes new credentials for new connections', async () => {
    let own: { certificatePem: string; privateKeyPem: string } | undefined;
    const { transport, sessions } = await start(
      (stream) => {
        json(stream, { subject: subjectOf(stream) ?? 'nobody' });
      },
      { certificate: () => own },
    );
    assert.deepEqual((await transport.request(get('/'))).value, { subject: 'nobody' });
    own = certificates.client;
    transport.renew();
    assert.match(JSON.stringify((await transport.request(get('/'))).value), /jane/);
    await clock.sleep(20);
    assert.equal(sessions.size, 1);
  });
});

describe('a watch over HTTPS', () => {
  it('tells events as their lines come, however they are cut', async () => {
    const { transport } = await start(async (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      const lines = '{"type":"ADDED","object":{"n":1}}\n{"type":"MODIFIED","object":{"n":9007199254740993}}\n';
      for (const part of [lines.slice(0, 10), lines.slice(10, 40), lines.slice(40)]) {
        stream.write(part);
        await clock.sleep(2);
      }
      stream.end();
    });
    const told = new Told();
    await transport.watch(get('/'), told);
    assert.equal(await told.over, undefined);
    assert.deepEqual(told.events, [
      ['ADDED', { n: 1 }],
      ['MODIFIED', { n: 9007199254740993n }],
    ]);
  });

  it('throws when the server says no', async () => {
    const { transport } = await start((stream) => json(stream, expired('too old').status, 410));
    await assert.rejects(
      transport.watch(get('/'), new Told()),
      (error) => error instanceof ApiError && error.reason === 'Expired',
    );
  });

  it('tells when it breaks, or when what comes is no event', async () => {
    const { transport } = await start((stream, headers) => {
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      if (headers[':path'] === '/nonsense') stream.write('nonsense\n');
      else void clock.sleep(20).then(() => stream.destroy(new Error('broken')));
    });
    for (const path of ['/broken', '/nonsense']) {
      const told = new Told();
      await transport.watch(get(path), told);
      assert.ok((await told.over) instanceof TransportError, path);
    }
  });

  it('is closed on the server when it is closed here', async () => {
    let closed = false;
    const { transport } = await start((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      stream.on('close', () => (closed = true));
    });
    const watch = await transport.watch(get('/'), new Told());
    watch.close();
    for (let i = 0; i < 100 && !closed; i++) await clock.sleep(5);
    assert.ok(closed);
  });

  it('is read no faster than its sink has room', async () => {
    let written = 0;
    const { transport } = await start(async (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/json' });
      const line = `{"type":"ADDED","object":{"text":"${'x'.repeat(64 * 1024)}"}}\n`;
      for (; written < 2000 && !stream.destroyed; written++) {
        if (!stream.write(line))
          await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), clock.sleep(500)]);
        if (stream.writableLength > 1024 * 1024) break;
      }
    });
    const told = new Told();
    told.room = () => new Promise(() => {});
    await transport.watch(get('/'), told);
    await clock.sleep(800);
    assert.ok(written < 200, `${written} lines were taken`);
    assert.deepEqual(told.events, []);
  });
});
