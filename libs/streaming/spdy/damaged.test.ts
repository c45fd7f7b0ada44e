import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.ts';
import { concat, duplexPair, readAll } from '../channel.ts';
import { nodeZlib } from '../node/zlib.ts';
import { SpdyConnection } from './connection.ts';
import { dataHead, goAway, headersFrame, ping, rstStream, settings, synStream, windowUpdate } from './frames.ts';
import { HeaderCompressor } from './headers.ts';

/** A client's side of a whole conversation, as bytes. */
function conversation(random: SeededRandom): Uint8Array {
  const compressor = new HeaderCompressor(nodeZlib);
  const frames: Uint8Array[] = [settings(new Map([[7, 65_536]]))];
  for (let id = 1; id < 12; id += 2)
    frames.push(synStream(id, 0, compressor.compress({ streamtype: 'data', port: String(id) }), false));
  for (let i = 0; i < 40; i++) {
    const id = 1 + 2 * random.int(6);
    const length = random.int(300);
    const kinds = [
      () => concat([dataHead(id, length, random.int(5) === 0), new Uint8Array(length)]),
      () => ping(1 + 2 * random.int(100)),
      () => windowUpdate(random.int(2) * id, 1 + random.int(1000)),
      () => rstStream(id, 1 + random.int(8)),
      () => headersFrame('HEADERS', id, compressor.compress({ n: String(i) }), false),
      () => settings(new Map([[7, random.int(100_000)]])),
    ];
    frames.push((kinds[random.int(kinds.length)] as () => Uint8Array)());
  }
  if (random.int(2) === 0) frames.push(goAway(0, 0));
  return concat(frames);
}

/** Feeds bytes to a server in pieces and answers how its connection ended. */
async function feed(bytes: Uint8Array, random: SeededRandom): Promise<string> {
  const [near, far] = duplexPair(1 << 20);
  const server = new SpdyConnection({
    transport: far,
    role: 'server',
    zlib: nodeZlib,
    accept(stream) {
      stream.reply().catch(() => {});
      readAll(stream.source)
        .then((data) => stream.sink.write(data))
        .then(() => stream.sink.end())
        .catch(() => {});
    },
  });
  server.start();
  const heard = readAll(near.source).catch(() => {});
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.int(2000);
    await near.sink.write(bytes.subarray(at, at + size)).catch(() => {});
    at += size;
  }
  await near.sink.end();
  const error = await server.closed;
  await server.over;
  await heard;
  assert.equal(server.streamCount, 0);
  return error?.name ?? 'in order';
}

test('whatever comes over the wire, the connection ends, and with an error of ours', async () => {
  const ends = new Map<string, number>();
  for (let seed = 0; seed < 300; seed++) {
    const random = new SeededRandom(`damage ${seed}`);
    const bytes = conversation(random);
    const damage = random.int(4);
    for (let i = 0; i < damage; i++) bytes[random.int(bytes.length)] = random.int(256);
    const cut = random.int(3) === 0 ? bytes.subarray(0, random.int(bytes.length)) : bytes;
    const end = await feed(cut, random);
    assert.ok(['in order', 'SpdyError', 'StreamClosedError'].includes(end), `seed ${seed}: ${end}`);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  // The test itself must see all of them, or it damages nothing.
  assert.ok((ends.get('SpdyError') ?? 0) > 20 && (ends.get('StreamClosedError') ?? 0) > 20, JSON.stringify([...ends]));
});
