import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import type { Issuer } from '../base/keys.ts';
import { NodeKeys } from '../base/node/node-keys.ts';
import { RealClock } from '../base/node/real-clock.ts';
import { type GrpcCode, GrpcError, MessageParser } from './channel.ts';
import { Http2Channel, type Http2ChannelOptions } from './node/http2-channel.ts';

const clock = new RealClock();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);
const isCode =
  (code: GrpcCode, message = /./) =>
  (e: unknown) =>
    e instanceof GrpcError && e.code === code && message.test(e.message);

const pass = {
  requestSerialize: (b: Buffer) => b,
  requestDeserialize: (b: Buffer) => b,
  responseSerialize: (b: Buffer) => b,
  responseDeserialize: (b: Buffer) => b,
};
const method = (path: string, responseStream: boolean, requestStream = false) => ({
  path,
  requestStream,
  responseStream,
  ...pass,
});

/** The usual implementation, on a unix socket: what our client must get on with. */
async function serve(path: string): Promise<Server> {
  const server = new Server({ 'grpc.max_send_message_length': -1 });
  const echo: handleUnaryCall<Buffer, Buffer> = (call, answer) => answer(null, call.request);
  const fail: handleUnaryCall<Buffer, Buffer> = (_, answer) =>
    answer({ code: status.NOT_FOUND, details: 'container "ä%b" not found\n' });
  const hang: handleUnaryCall<Buffer, Buffer> = () => hangs.resolve();
  const big: handleUnaryCall<Buffer, Buffer> = (call, answer) =>
    answer(null, Buffer.alloc(Number(call.request.toString())));
  const count: handleServerStreamingCall<Buffer, Buffer> = async (call) => {
    const most = Number(call.request.toString());
    for (let i = 0; i < most && !call.cancelled; i++) {
      if (!call.write(Buffer.from(`${i}`.padEnd(1000))))
        await Promise.race([new Promise((r) => call.once('drain', r)), new Promise((r) => call.once('cancelled', r))]);
    }
    if (call.cancelled) cancelled.resolve();
    else if (most === 3) call.emit('error', { code: status.ABORTED, details: 'after three' });
    else call.end();
  };
  const chat: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.write(Buffer.from(`hello ${call.metadata.get('from').join()}`));
    call.once('cancelled', () => cancelled.resolve());
    call.on('data', (request) => {
      if (String(request) === 'bye') call.end();
      else call.write(Buffer.from(`${request}, ${request}`));
    });
  };
  server.addService(
    {
      chat: method('/t.T/Chat', true, true),
      echo: method('/t.T/Echo', false),
      fail: method('/t.T/Fail', false),
      hang: method('/t.T/Hang', false),
      big: method('/t.T/Big', false),
      count: method('/t.T/Count', true),
    },
    { chat, echo, fail, hang, big, count },
  );
  await new Promise<void>((done, failed) =>
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (e) => (e ? failed(e) : done())),
  );
  return server;
}
let hangs = Promise.withResolvers<void>();
let cancelled = Promise.withResolvers<void>();

async function connected(t: TestContext, options: { messageBytesMax?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'grpc-'));
  const path = join(folder, 's.sock');
  let server = await serve(path);
  const channel = new Http2Channel({ endpoint: `unix://${path}`, clock, metadata: { from: 'a test' }, ...options });
  t.after(async () => {
    await channel.close();
    server.forceShutdown();
    rmSync(folder, { recursive: true });
  });
  const restart = async () => {
    server.forceShutdown();
    server = await serve(path);
  };
  return { channel, path, restart, stop: () => server.forceShutdown() };
}

test('calls are answered, at once and many together', async (t) => {
  const { channel } = await connected(t);
  assert.equal(text(await channel.unary('/t.T/Echo', bytes('hello'))), 'hello');
  assert.equal((await channel.unary('/t.T/Echo', new Uint8Array(0))).length, 0);
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => channel.unary('/t.T/Echo', bytes(`n${i}`.repeat(500)))),
  );
  answers.forEach((answer, i) => assert.equal(text(answer), `n${i}`.repeat(500)));
});

test('errors carry the code and the text of the server', async (t) => {
  const { channel } = await connected(t);
  await assert.rejects(channel.unary('/t.T/Fail', bytes('')), isCode('NOT_FOUND', /^container "ä%b" not found\n$/));
  await assert.rejects(channel.unary('/t.T/None', bytes('')), isCode('UNIMPLEMENTED'));
  assert.equal(text(await channel.unary('/t.T/Echo', bytes('still'))), 'still');
});

test('a deadline, a cancellation and a close end a call that hangs', async (t) => {
  const { channel } = await connected(t);
  await assert.rejects(channel.unary('/t.T/Hang', bytes(''), { timeoutMs: 30 }), isCode('DEADLINE_EXCEEDED'));
  const abort = new AbortController();
  const hanging = channel.unary('/t.T/Hang', bytes(''), { signal: abort.signal });
  abort.abort(new Error('not needed'));
  await assert.rejects(hanging, isCode('CANCELLED'));
  await assert.rejects(channel.unary('/t.T/Echo', bytes(''), { signal: abort.signal }), isCode('CANCELLED'));
  const last = channel.unary('/t.T/Hang', bytes(''));
  last.catch(() => {});
  await channel.unary('/t.T/Echo', bytes(''));
  await channel.close();
  await assert.rejects(last, isCode('CANCELLED', /closed/));
  await assert.rejects(channel.unary('/t.T/Echo', bytes('')), isCode('CANCELLED'));
});

test('a stream is read to its end, or left early, which cancels it', async (t) => {
  cancelled = Promise.withResolvers();
  const { channel } = await connected(t);
  const all: string[] = [];
  for await (const message of channel.serverStream('/t.T/Count', bytes('100'))) all.push(text(message).trim());
  assert.equal(all.join(), Array.from({ length: 100 }, (_, i) => i).join());
  for await (const message of channel.serverStream('/t.T/Count', bytes('1000000')))
    if (text(message).trim() === '5') break;
  await cancelled.promise;
  const some: string[] = [];
  await assert.rejects(
    async () => {
      for await (const message of channel.serverStream('/t.T/Count', bytes('3'))) some.push(text(message).trim());
    },
    isCode('ABORTED', /after three/),
  );
  assert.deepEqual(some, ['0', '1', '2']);
});

test('a long answer is taken up to the limit', async (t) => {
  const { channel } = await connected(t, { messageBytesMax: 5_000_000 });
  assert.equal((await channel.unary('/t.T/Big', bytes('5000000'))).length, 5_000_000);
  await assert.rejects(channel.unary('/t.T/Big', bytes('5000001')), isCode('RESOURCE_EXHAUSTED', /5000001 bytes/));
  assert.equal(text(await channel.unary('/t.T/Echo', bytes('still'))), 'still');
});

test('a server that goes fails its calls, and the next call finds the new one', async (t) => {
  const { channel, restart } = await connected(t);
  hangs = Promise.withResolvers();
  const hanging = channel.unary('/t.T/Hang', bytes(''));
  const failed = assert.rejects(hanging, isCode('UNAVAILABLE'));
  await hangs.promise;
  await restart();
  await failed;
  assert.equal(text(await channel.unary('/t.T/Echo', bytes('again'))), 'again');
});

test('no server at all is UNAVAILABLE with the reason', async () => {
  const channel = new Http2Channel({ endpoint: 'unix:///nowhere/at/all.sock', clock });
  await assert.rejects(channel.unary('/t.T/Echo', bytes('')), isCode('UNAVAILABLE', /ENOENT/));
  await channel.close();
});

test('something that is not gRPC is an error, not a hang', async (t) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const channel = new Http2Channel({
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    clock,
  });
  await assert.rejects(channel.unary('/t.T/Echo', bytes('')), isCode('UNAVAILABLE'));
  await channel.close();
});

test('messages survive any cut', () => {
  const wire = Buffer.concat([
    Buffer.from([0, 0, 0, 0, 3]),
    Buffer.from('abc'),
    Buffer.from([0, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0, 1, 100]),
  ]);
  for (let size = 1; size <= wire.length; size++) {
    const parser = new MessageParser(100);
    const messages: string[] = [];
    for (let at = 0; at < wire.length; at += size)
      messages.push(...parser.push(wire.subarray(at, at + size)).map(text));
    assert.deepEqual(messages, ['abc', '', 'd'], `cut every ${size} bytes`);
    assert.ok(parser.atBoundary);
  }
});

test('requests and answers go both ways until either side ends', async (t) => {
  const { channel } = await connected(t);
  const duplex = channel.duplexStream('/t.T/Chat');
  duplex.send(bytes('early'));
  const heard: string[] = [];
  for await (const answer of duplex.answers) {
    heard.push(text(answer));
    if (heard.length === 2) duplex.send(bytes('later'));
    if (heard.length === 3) duplex.send(bytes('bye'));
  }
  assert.deepEqual(heard, ['hello a test', 'early, early', 'later, later']);
  duplex.send(bytes('nobody hears'));

  cancelled = Promise.withResolvers<void>();
  for await (const _ of channel.duplexStream('/t.T/Chat').answers) break;
  await cancelled.promise;
});

test('a duplex stream tells that its connection broke', async (t) => {
  const { channel, stop } = await connected(t);
  const read = async () => {
    for await (const _ of channel.duplexStream('/t.T/Chat').answers) stop();
  };
  await assert.rejects(read(), isCode('UNAVAILABLE'));
});

test('a call that cannot have reached the server says so', async (t) => {
  const { channel, stop, restart } = await connected(t);
  const unsent = (error: unknown) => (error as GrpcError).unsent;
  const hanging = channel.unary('/t.T/Hang', bytes(''));
  hangs = Promise.withResolvers<void>();
  await hangs.promise;
  stop();
  await assert.rejects(hanging, (error) => isCode('UNAVAILABLE')(error) && !unsent(error));
  await assert.rejects(
    channel.unary('/t.T/Echo', bytes('x')),
    (error) => isCode('UNAVAILABLE')(error) && unsent(error),
  );
  await restart();
  assert.equal(text(await channel.unary('/t.T/Echo', bytes('x'))), 'x');
  await assert.rejects(channel.unary('/t.T/Fail', bytes('')), (error) => !unsent(error));
});

test('TLS with certificates on both sides', async (t) => {
  const keys = new NodeKeys();
  const issue = async (commonName: string, issuer?: Issuer): Promise<Issuer> => {
    const key = await keys.generateKey(commonName);
    const certificatePem = await keys.issueCertificate(
      {
        subject: { commonName },
        names: { dns: ['localhost'], ip: ['127.0.0.1'] },
        publicKey: key,
        isCertificateAuthority: issuer === undefined,
        usages: issuer ? ['digital signature', 'server auth', 'client auth'] : ['cert sign'],
        notBeforeMs: Date.now() - 3_600_000,
        notAfterMs: Date.now() + 3_600_000,
      },
      issuer,
    );
    return { key, certificatePem };
  };
  const ca = await issue('authority');
  const [server, client] = [await issue('server', ca), await issue('client', ca)];
  const pem = (one: Issuer) => ({ cert: one.certificatePem, key: one.key.privateKeyPem() });
  const http2 = createSecureServer({
    ...pem(server),
    ca: ca.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  http2.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('data', (chunk) => stream.end(chunk));
  });
  await new Promise<void>((done) => http2.listen(0, '127.0.0.1', done));
  t.after(() => new Promise((done) => http2.close(done)));
  const endpoint = `https://127.0.0.1:${(http2.address() as AddressInfo).port}`;
  const call = async (tls: Http2ChannelOptions['tls']) => {
    const channel = new Http2Channel({ endpoint, clock, tls });
    try {
      return text(await channel.unary('/t.T/Echo', bytes('secret')));
    } finally {
      await channel.close();
    }
  };
  assert.equal(await call({ ca: ca.certificatePem, ...pem(client) }), 'secret');
  await assert.rejects(call({ ...pem(client) }), isCode('UNAVAILABLE', /certificate/));
  await assert.rejects(call({ ca: ca.certificatePem }), isCode('UNAVAILABLE'));
});
