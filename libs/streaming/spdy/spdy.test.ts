import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytePipe, concat, duplexPair, pump, readAll } from '../channel.ts';
import { nodeZlib } from '../node/zlib.ts';
import { SpdyConnection } from './connection.ts';
import { adler32, SPDY_DICTIONARY } from './dictionary.ts';
import {
  dataHead,
  type Frame,
  FrameParser,
  goAway,
  ping,
  RST,
  rstStream,
  SpdyError,
  settings,
  synStream,
  windowUpdate,
} from './frames.ts';
import { HeaderCompressor, HeaderDecompressor } from './headers.ts';
import { type SpdyStream, StreamResetError } from './stream.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);

/** A client and a server joined by a pipe; the server's streams are collected and answered. */
function connected(accept?: (stream: SpdyStream) => void) {
  const [near, far] = duplexPair();
  const accepted: SpdyStream[] = [];
  const client = new SpdyConnection({ transport: near, role: 'client', zlib: nodeZlib });
  const server = new SpdyConnection({
    transport: far,
    role: 'server',
    zlib: nodeZlib,
    accept:
      accept ??
      ((stream) => {
        accepted.push(stream);
        void stream.reply();
      }),
  });
  client.start();
  server.start();
  return { client, server, accepted };
}

/** The server end played by hand: frames in, frames out. */
function scripted() {
  const [near, far] = duplexPair();
  const client = new SpdyConnection({ transport: near, role: 'client', zlib: nodeZlib });
  client.start();
  const parser = new FrameParser();
  const waiting: Frame[] = [];
  const next = async (type: Frame['type']): Promise<Frame> => {
    for (;;) {
      const frame = waiting.shift();
      if (frame?.type === type) return frame;
      if (frame) continue;
      const chunk = await far.source.read();
      if (!chunk) throw new Error('the client has closed');
      waiting.push(...parser.push(chunk));
    }
  };
  return { client, far, next, send: (...frames: Uint8Array[]) => far.sink.write(concat(frames)) };
}

test('the dictionary is the one of the protocol', () => {
  assert.equal(SPDY_DICTIONARY.length, 1423);
  assert.equal(adler32(SPDY_DICTIONARY), 0xe3c6a7c2);
});

test('header blocks compressed with the history of their direction come back equal', () => {
  const compressor = new HeaderCompressor(nodeZlib);
  const decompressor = new HeaderDecompressor(nodeZlib);
  const sizes: number[] = [];
  for (let i = 0; i < 600; i++) {
    const headers = {
      streamtype: i % 2 ? 'data' : 'error',
      port: '8080',
      requestid: String(i),
      padding: 'x'.repeat(i % 97),
    };
    const block = compressor.compress(headers);
    sizes.push(block.length);
    assert.deepEqual({ ...decompressor.decompress(block) }, headers);
  }
  assert.ok((sizes[2] as number) < (sizes[0] as number) / 1.5, `repeated headers should shrink: ${sizes.slice(0, 3)}`);
});

test('frames survive any cut of the byte stream', () => {
  const wire = concat([
    synStream(1, 3, bytes('block'), true),
    settings(new Map([[7, 1000]])),
    dataHead(1, 5, false),
    bytes('hello'),
    dataHead(1, 0, true),
    ping(7),
    windowUpdate(1, 9),
    rstStream(1, RST.cancel),
    goAway(5, 0),
  ]);
  const whole = describe([...new FrameParser().push(wire)]);
  assert.deepEqual(whole, [
    'SYN_STREAM 1 fin',
    'SETTINGS',
    'DATA 1 hello fin',
    'PING',
    'WINDOW_UPDATE 1',
    'RST_STREAM 1',
    'GOAWAY',
  ]);
  for (let size = 1; size < 20; size++) {
    const parser = new FrameParser();
    const frames: Frame[] = [];
    for (let at = 0; at < wire.length; at += size) frames.push(...parser.push(wire.subarray(at, at + size)));
    assert.deepEqual(describe(frames), whole, `cut every ${size} bytes`);
    assert.ok(parser.atBoundary);
  }
});

/** One line per frame; parts of one data stream joined. */
function describe(frames: Frame[]): string[] {
  const lines: string[] = [];
  let data = '';
  for (const frame of frames) {
    if (frame.type === 'DATA') {
      data += text(frame.data);
      if (frame.fin) lines.push(`DATA ${frame.streamId} ${data} fin`);
    } else
      lines.push(
        `${frame.type}${'streamId' in frame ? ` ${frame.streamId}` : ''}${'fin' in frame && frame.fin ? ' fin' : ''}`,
      );
  }
  return lines;
}

test('a broken frame is an error that says what is wrong', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['another version', Uint8Array.of(0x80, 4, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1), /SPDY\/4/],
    ['data of stream 0', dataHead(0, 1, false), /stream 0/],
    ['a short PING', Uint8Array.of(0x80, 3, 0, 6, 0, 0, 0, 1, 0), /PING/],
    ['a giant control frame', Uint8Array.of(0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff), /too long/],
    ['settings that lie about their count', Uint8Array.of(0x80, 3, 0, 4, 0, 0, 0, 4, 0, 0, 1, 0), /SETTINGS/],
    ['an empty window update', Uint8Array.of(0x80, 3, 0, 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0), /WINDOW_UPDATE/],
  ];
  for (const [name, wire, message] of cases) {
    assert.throws(
      () => [...new FrameParser().push(wire)],
      (e) => e instanceof SpdyError && message.test(e.message),
      name,
    );
  }
  assert.deepEqual(
    [...new FrameParser().push(Uint8Array.of(0x80, 3, 0, 99, 0, 0, 0, 1, 0))],
    [],
    'unknown types are skipped',
  );
});

test('a stream carries headers and bytes both ways, and each direction ends alone', async () => {
  const { client, accepted } = connected();
  const stream = client.open({ streamtype: 'stdin', PORT: '80' });
  await stream.replied;
  const [peer] = accepted as [SpdyStream];
  assert.deepEqual({ ...peer.headers }, { streamtype: 'stdin', port: '80' });
  await stream.sink.write(bytes('in'));
  await stream.sink.end();
  assert.equal(text(await readAll(peer.source)), 'in');
  await peer.sink.write(bytes('still '));
  await peer.sink.write(bytes('open'));
  await peer.sink.end();
  assert.equal(text(await readAll(stream.source)), 'still open');
  assert.equal(client.streamCount, 0);
  await assert.rejects(stream.sink.write(bytes('late')), /ended/);
});

test('many streams at once keep their bytes apart', async () => {
  const { client } = connected((stream) => {
    void stream.reply();
    void pump(stream.source, stream.sink);
  });
  await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const stream = client.open({ n: String(i) });
      const sent = new Uint8Array(100_000 + i).fill(i);
      const received = readAll(stream.source);
      await stream.sink.write(sent);
      await stream.sink.end();
      assert.deepEqual(await received, sent);
    }),
  );
  assert.equal(client.streamCount, 0);
});

test('a writer waits for a reader that does not read, and other streams go on', async () => {
  const { client, accepted } = connected();
  const stuck = client.open({ n: 'stuck' });
  const free = client.open({ n: 'free' });
  await Promise.all([stuck.replied, free.replied]);
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 64; i++) {
      await stuck.sink.write(new Uint8Array(64 * 1024));
      written += 64 * 1024;
    }
  })();
  const [stuckPeer, freePeer] = accepted as [SpdyStream, SpdyStream];
  for (let i = 0; i < 20; i++) {
    await free.sink.write(bytes('x'));
    assert.equal(text((await freePeer.source.read()) as Uint8Array), 'x');
  }
  assert.ok(written <= 1024 * 1024, `${written} bytes were taken in without a reader`);
  const received = (async () => {
    let sum = 0;
    for (let sum0 = 0; sum0 < 64 * 64 * 1024; sum0 = sum) sum += (await stuckPeer.source.read())?.length ?? 0;
    return sum;
  })();
  await writing;
  assert.equal(await received, 64 * 64 * 1024);
});

test('a peer that never widens a window is not waited for', async () => {
  const { client, next, send } = scripted();
  const stream = client.open({ streamtype: 'stdin' });
  assert.equal((await next('SYN_STREAM')).type, 'SYN_STREAM');
  const writing = stream.sink.write(new Uint8Array(300_000)).then(() => stream.sink.end());
  let received = 0;
  for (let fin = false; !fin; ) {
    const frame = await next('DATA');
    assert.ok(frame.type === 'DATA');
    received += frame.data.length;
    fin = frame.fin;
  }
  await writing;
  assert.equal(received, 300_000);
  await send(goAway(1, 0));
});

test('windows that the peer announces are kept', async () => {
  const { client, next, send } = scripted();
  await send(settings(new Map([[7, 1000]])), ping(2));
  await next('PING');
  const stream = client.open({});
  const writing = stream.sink.write(new Uint8Array(2500));
  const sizes: number[] = [];
  for (const widen of [1000, 400, 5000]) {
    const frame = await next('DATA');
    assert.ok(frame.type === 'DATA');
    sizes.push(frame.data.length);
    // Nothing but the answer to a ping comes before the window is wider.
    await send(ping(4));
    assert.equal((await next('PING')).type, 'PING');
    await send(windowUpdate(1, widen));
  }
  await writing;
  assert.deepEqual(sizes, [1000, 1000, 400]);
});

test('a window that shrinks below zero is waited for too', async () => {
  const { client, next, send } = scripted();
  const stream = client.open({});
  await stream.sink.write(new Uint8Array(3000));
  assert.equal(((await next('DATA')) as { data: Uint8Array }).data.length, 3000);
  await send(settings(new Map([[7, 1000]])), ping(2));
  await next('PING');
  const writing = stream.sink.write(new Uint8Array(10));
  await send(windowUpdate(1, 2000), ping(4));
  await next('PING');
  await send(windowUpdate(1, 5));
  assert.equal(((await next('DATA')) as { data: Uint8Array }).data.length, 5);
  await send(windowUpdate(1, 500));
  assert.equal(((await next('DATA')) as { data: Uint8Array }).data.length, 5);
  await writing;
});

test('a reset reaches both directions of the other end', async () => {
  const { client, accepted } = connected();
  const stream = client.open({});
  await stream.replied;
  accepted[0]?.reset(RST.refusedStream);
  await assert.rejects(stream.source.read(), (e) => e instanceof StreamResetError && e.status === RST.refusedStream);
  await assert.rejects(stream.sink.write(bytes('x')), StreamResetError);
});

test('an end without anybody who accepts refuses streams', async () => {
  const [near, far] = duplexPair();
  const client = new SpdyConnection({ transport: near, role: 'client', zlib: nodeZlib });
  const server = new SpdyConnection({ transport: far, role: 'server', zlib: nodeZlib });
  client.start();
  server.start();
  await assert.rejects(client.open({}).replied, (e) => e instanceof StreamResetError && e.status === RST.refusedStream);
});

test('ping is answered', async () => {
  const { client, server } = connected();
  await Promise.all([client.ping(), server.ping(), client.ping()]);
});

test('close lets open streams end, and then both ends are over', async () => {
  const { client, server, accepted } = connected();
  const stream = client.open({});
  await stream.replied;
  client.close();
  assert.throws(() => client.open({}), /no new streams/);
  await stream.sink.write(bytes('last words'));
  await stream.sink.end();
  const peer = accepted[0] as SpdyStream;
  assert.equal(text(await readAll(peer.source)), 'last words');
  await peer.sink.end();
  assert.equal(await client.closed, undefined);
  assert.equal(await server.closed, undefined);
});

test('when the transport ends, open streams fail and readers of whole streams do not', async () => {
  const { client, server, accepted } = connected();
  const open = client.open({});
  const whole = client.open({});
  await Promise.all([open.replied, whole.replied]);
  await accepted[1]?.sink.write(bytes('all of it'));
  await accepted[1]?.sink.end();
  await client.ping();
  server.destroy();
  await assert.rejects(open.source.read());
  assert.equal(text(await readAll(whole.source)), 'all of it');
  assert.ok((await client.closed) instanceof Error);
});

test('a peer that breaks the protocol gets GOAWAY and loses the connection', async () => {
  const { client, next, send } = scripted();
  await send(rstStream(0, 1));
  const frame = await next('GOAWAY');
  assert.ok(frame.type === 'GOAWAY' && frame.status === 1);
  assert.ok((await client.closed) instanceof SpdyError);
});

test('a peer that floods with pings and reads no answers is cut off', async () => {
  const { client, far, send } = scripted();
  const flood = concat(Array.from({ length: 1000 }, (_, i) => ping(2 + i * 2)));
  for (let i = 0; i < 30; i++) await Promise.race([send(flood).catch(() => {}), client.closed]);
  assert.match(String(await client.closed), /more answers/);
  far.destroy();
});

test('pipes slow their writer down and pass on a break', async () => {
  const pipe = bytePipe(4);
  await pipe.write(bytes('1234'));
  let released = false;
  const third = pipe.write(bytes('5')).then(() => {
    released = true;
  });
  await Promise.resolve();
  assert.equal(released, false);
  await pipe.read();
  await third;
  pipe.cancel(new Error('no more'));
  await assert.rejects(pipe.write(bytes('6')), /no more/);
});
