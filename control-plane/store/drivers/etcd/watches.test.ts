import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { turn } from '../../../../libs/base/node/turn.ts';
import { BoundedQueue } from '../../../../libs/base/queue.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { VirtualClock } from '../../../../libs/base/virtual-clock.ts';
import { type CallOptions, type GrpcChannel, type GrpcDuplex, GrpcError } from '../../../../libs/grpc/channel.ts';
import { draft, Recorder, textOf } from '../../conformance/under-test.ts';
import { CompactedError, type Revision, StoreError, type Watch } from '../../store.ts';
import { EtcdClient } from './client.ts';
import { etcdSchema, type WatchEvent, type WatchRequest, type WatchResponse } from './proto.ts';
import { encodeDraft } from './values.ts';
import { EtcdWatches } from './watches.ts';

/** etcd's end of a stream: what was asked, and what to answer. */
class FakeStream implements GrpcDuplex {
  readonly requests: WatchRequest[] = [];
  readonly answers: AsyncIterable<Uint8Array>;
  readonly #queue = new BoundedQueue<Uint8Array>('answers', 1000);
  #error: Error | undefined;

  constructor(signal: AbortSignal | undefined) {
    signal?.addEventListener('abort', () => this.break(new GrpcError('CANCELLED', 'the call was cancelled')));
    const stream = this;
    this.answers = (async function* () {
      for (let next = await stream.#queue.take(); next; next = await stream.#queue.take()) yield next;
      if (stream.#error) throw stream.#error;
    })();
  }

  send(request: Uint8Array): void {
    this.requests.push(etcdSchema.decode('WatchRequest', request) as WatchRequest);
  }

  answer(response: Partial<WatchResponse> & { revision: Revision }): Promise<void> {
    const { revision, ...rest } = response;
    this.#queue.put(etcdSchema.encode('WatchResponse', { header: { revision }, ...rest }));
    return turn();
  }

  break(error: Error = new GrpcError('UNAVAILABLE', 'the connection broke')): void {
    this.#error = error;
    this.#queue.close();
  }

  /** Where the watch begins that was asked for. */
  get from(): Revision | undefined {
    return this.requests[0]?.createRequest?.startRevision;
  }

  get progressRequests(): number {
    return this.requests.filter((request) => request.progressRequest).length;
  }
}

class Scene {
  readonly clock = new VirtualClock({ turn });
  readonly streams: FakeStream[] = [];
  readonly watches: EtcdWatches;

  constructor() {
    const channel: GrpcChannel = {
      unary: () => Promise.reject(new Error('not asked for')),
      serverStream: () => assert.fail('not asked for'),
      duplexStream: (_: string, options: CallOptions = {}) => {
        const stream = new FakeStream(options.signal);
        this.streams.push(stream);
        return stream;
      },
      close: async () => {},
    };
    const random = new SeededRandom(1);
    const client = new EtcdClient({ channels: [channel], clock: this.clock, random });
    this.watches = new EtcdWatches({ client, clock: this.clock, random, keyPrefix: '/p', silenceMs: 5_000 });
  }

  get stream(): FakeStream {
    return this.streams.at(-1) as FakeStream;
  }

  /** A watch that has begun and is confirmed. */
  async watch(after: Revision, current = after): Promise<{ recorder: Recorder; watch: Watch }> {
    const recorder = new Recorder('/k/', after);
    const watch = this.watches.add('/k/', after, current, recorder);
    await this.stream.answer({ revision: current, created: true });
    return { recorder, watch };
  }
}

const kv = (key: string, revision: Revision, createRevision = revision) => ({
  key: `/p/k/${key}`,
  createRevision,
  modRevision: revision,
  value: encodeDraft(draft(`${key} at ${revision}`)),
});
const made = (key: string, revision: Revision): WatchEvent => ({ type: 'PUT', kv: kv(key, revision) });
const told = (recorder: Recorder) => recorder.log.map((event) => [event.revision, textOf(event.entry)]);

describe('watches on etcd', () => {
  it('begin at a revision, and drop what it did itself', async () => {
    const scene = new Scene();
    const { recorder } = await scene.watch(10, 20);
    assert.equal(scene.stream.from, 10);
    await scene.stream.answer({ revision: 20, events: [made('a', 10), made('b', 12)] });
    assert.deepEqual(told(recorder), [[12, 'b at 12']]);
    assert.equal(recorder.reached, 12);
  });

  it('have a stream each', async () => {
    const scene = new Scene();
    const [first, second] = [await scene.watch(10), await scene.watch(12)];
    await scene.streams[0]?.answer({ revision: 15 });
    assert.deepEqual([first.recorder.reached, second.recorder.reached], [15, 12]);
  });

  it('go on after a broken stream from where they were', async () => {
    const scene = new Scene();
    const { recorder } = await scene.watch(10);
    await scene.stream.answer({ revision: 12, events: [made('a', 12)] });
    scene.stream.break();
    await scene.clock.advance(5_000);
    assert.equal(scene.streams.length, 2);
    assert.equal(scene.stream.from, 12);
    await scene.stream.answer({ revision: 15, created: true });
    await scene.stream.answer({ revision: 15, events: [made('a', 12), made('b', 14)] });
    assert.deepEqual(told(recorder), [
      [12, 'a at 12'],
      [14, 'b at 14'],
    ]);
    assert.equal(recorder.endedWith, 'not yet');
  });

  it('wait longer and longer while no stream can be had', async () => {
    const scene = new Scene();
    scene.watches.add('/k/', 10, 10, new Recorder('/k/', 10));
    const counts: number[] = [];
    for (let second = 0; second < 20; second++) {
      const before = scene.streams.length;
      for (let i = 0; i < 100; i++) {
        scene.stream.break();
        await scene.clock.advance(10);
      }
      counts.push(scene.streams.length - before);
    }
    assert.ok((counts[0] as number) >= 3, counts.join());
    assert.ok((counts.at(-1) as number) <= 1, counts.join());
  });

  it('put the pieces of one answer together before they tell any of it', async () => {
    const scene = new Scene();
    const { recorder } = await scene.watch(10);
    await scene.stream.answer({ revision: 12, fragment: true, events: [made('a', 11)] });
    assert.deepEqual([recorder.log.length, recorder.reached], [0, 10]);
    await scene.stream.answer({ revision: 12, events: [made('b', 12)] });
    assert.deepEqual(recorder.batches, [2]);
    assert.equal(recorder.reached, 12);
  });

  it('forget the pieces of an answer that broke off', async () => {
    const scene = new Scene();
    const { recorder } = await scene.watch(10);
    await scene.stream.answer({ revision: 12, fragment: true, events: [made('a', 11)] });
    scene.stream.break();
    await scene.clock.advance(5_000);
    await scene.stream.answer({ revision: 12, created: true });
    await scene.stream.answer({ revision: 12, events: [made('a', 11), made('b', 12)] });
    assert.deepEqual(recorder.batches, [2]);
  });

  const endings: [string, Partial<WatchResponse>, (reason: unknown) => boolean][] = [
    [
      'history is gone',
      { canceled: true, compactRevision: 30 },
      (reason) => reason instanceof CompactedError && reason.compactedRevision === 30,
    ],
    [
      'etcd refuses it',
      { canceled: true, cancelReason: 'permission denied' },
      (reason) => reason instanceof StoreError && /permission denied/.test(reason.message),
    ],
    [
      'what was there before is gone',
      { events: [{ type: 'PUT', kv: kv('a', 12, 5) }] },
      (reason) => reason instanceof CompactedError,
    ],
    [
      'a deletion does not say of what',
      { events: [{ type: 'DELETE', kv: kv('a', 12, 0) }] },
      (reason) => reason instanceof CompactedError,
    ],
    [
      'a value is not ours',
      { events: [{ type: 'PUT', kv: { ...kv('a', 12), value: new Uint8Array(2) } }] },
      (reason) => reason instanceof StoreError && reason.reason === 'corrupt',
    ],
  ];
  for (const [why, response, right] of endings) {
    it(`end when ${why}`, async () => {
      const scene = new Scene();
      const { recorder } = await scene.watch(10);
      await scene.stream.answer({ revision: 12, ...response });
      assert.ok(right(recorder.endedWith), String(recorder.endedWith));
      assert.equal(recorder.log.length, 0);
    });
  }

  it('ask for progress until everybody is up to a revision, and then no more', async () => {
    const scene = new Scene();
    const { recorder } = await scene.watch(10);
    assert.equal(scene.stream.progressRequests, 0);
    scene.watches.reach(15);
    await scene.clock.advance(500);
    const asked = scene.stream.progressRequests;
    assert.ok(asked >= 2 && asked <= 10, `${asked} times`);
    await scene.stream.answer({ revision: 16 });
    assert.equal(recorder.reached, 16);
    await scene.clock.advance(500);
    const then = scene.stream.progressRequests;
    await scene.clock.advance(20_000);
    assert.equal(scene.stream.progressRequests, then);
  });

  it('try another stream when progress does not come', async () => {
    const scene = new Scene();
    await scene.watch(10);
    scene.watches.reach(15);
    await scene.clock.advance(4_000);
    assert.equal(scene.streams.length, 1);
    await scene.clock.advance(3_000);
    assert.equal(scene.streams.length, 2);
    assert.equal(scene.stream.from, 10);
  });

  it('ask now and then whether a silent etcd is still there', async () => {
    const scene = new Scene();
    const { recorder } = await scene.watch(10);
    await scene.clock.advance(31_000);
    assert.equal(scene.stream.progressRequests, 1);
    await scene.stream.answer({ revision: 10 });
    await scene.clock.advance(20_000);
    assert.equal(scene.streams.length, 1);
    await scene.clock.advance(20_000);
    assert.equal(scene.streams.length, 2, 'a dead stream was kept');
    assert.equal(recorder.endedWith, 'not yet');
  });

  it('make a writer wait until they have been told, or a second', async () => {
    const scene = new Scene();
    await scene.watch(10);
    let answered = 0;
    const write = (key: string, revision: Revision) => void scene.watches.told(key, revision).then(() => answered++);
    write('/k/a', 11);
    write('/elsewhere', 11);
    await turn();
    assert.equal(answered, 1);
    await scene.stream.answer({ revision: 11, events: [made('a', 11)] });
    assert.equal(answered, 2);
    write('/k/a', 12);
    await scene.clock.advance(900);
    assert.equal(answered, 2);
    await scene.clock.advance(200);
    assert.equal(answered, 3);
    write('/k/a', 13);
    scene.stream.break();
    await turn();
    await turn();
    assert.equal(answered, 4);
  });

  it('leave nothing behind when they are closed', async () => {
    const scene = new Scene();
    const { watch, recorder } = await scene.watch(10, 20);
    watch.close();
    await scene.clock.advance(5_000);
    assert.equal(scene.clock.pending, 0);
    assert.equal(scene.streams.length, 1);
    assert.equal(recorder.endedWith, 'not yet');
    const other = await scene.watch(20);
    scene.watches.close();
    assert.equal(other.recorder.endedWith, undefined);
    await scene.clock.advance(5_000);
    assert.equal(scene.clock.pending, 0);
    assert.equal(scene.streams.length, 2);
  });
});
