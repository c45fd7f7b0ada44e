import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { turn } from '../../../../libs/base/node/turn.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { VirtualClock } from '../../../../libs/base/virtual-clock.ts';
import { storeConformance } from '../../conformance/conformance.ts';
import { isCompacted } from '../../conformance/lists.ts';
import { made, plain, plainEvent, put, Recorder, remove, SkippingClock } from '../../conformance/under-test.ts';
import { isStoreError } from '../../conformance/writes.ts';
import { FaultyGate } from '../faulty/faulty-gate.ts';
import { MemoryStore, type MemoryStoreOptions } from './memory-store.ts';

storeConformance('memory', async () => {
  const clock = new SkippingClock();
  const random = new SeededRandom('memory');
  const gate = new FaultyGate({ clock, random });
  let store = new MemoryStore({ clock, random, gate });
  return {
    store,
    commits: gate,
    disturb: (chance) => gate.failNext('unavailable', chance.next() < 0.3 ? 'maybe' : 'no'),
    pass: (ms) => clock.skip(ms),
    // What a process that starts again would find, if memory outlived it.
    reopen: async () => {
      await store.close();
      store = MemoryStore.fromSnapshot(store.snapshot(), { clock, random, gate });
      return store;
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
});

const fresh = (options: Partial<MemoryStoreOptions> = {}) => {
  const clock = new VirtualClock({ turn });
  const random = new SeededRandom(1);
  return { clock, random, store: new MemoryStore({ clock, random, ...options }) };
};

describe('memory store', () => {
  it('begins at revision 1, with an id made from the seed', async () => {
    const { store } = fresh();
    assert.equal(await store.currentRevision(), 1);
    assert.equal(await store.compactedRevision(), 1);
    assert.equal(store.clusterId, fresh().store.clusterId);
    assert.notEqual(store.clusterId, fresh({ random: new SeededRandom(2) }).store.clusterId);
  });

  it('commits while virtual time stands still, and keeps no timer', async () => {
    const { store, clock } = fresh();
    await made(put(store, '/k', 'x'));
    await Recorder.start(store, '/', 1);
    assert.equal(clock.pending, 0);
  });

  it('expires on virtual time and then keeps no timer', async () => {
    const { store, clock } = fresh();
    await put(store, '/k/a', 'x', { expireAfterSeconds: 60 });
    await put(store, '/k/b', 'x', { expireAfterSeconds: 120 });
    assert.equal(clock.pending, 1);
    await clock.advance(59_000);
    assert.equal((await store.list('/k/')).entries.length, 2);
    await clock.advance(2_000);
    assert.deepEqual(
      (await store.list('/k/')).entries.map((entry) => entry.key),
      ['/k/b'],
    );
    await clock.advance(61_000);
    assert.equal((await store.list('/k/')).entries.length, 0);
    assert.equal(clock.pending, 0);
  });

  it('goes on from a snapshot as often as wanted, each on its own', async () => {
    const { store, clock, random } = fresh();
    for (let i = 0; i < 300; i++) await put(store, `/k/${i % 150}`, `step ${i}`, { expireAfterSeconds: 100 + i });
    const then = await store.list('/k/');
    const snapshot = store.snapshot();
    for (let i = 0; i < 150; i++) await remove(store, `/k/${i}`);
    for (const round of ['one', 'two']) {
      const again = MemoryStore.fromSnapshot(snapshot, { clock, random });
      assert.equal(again.clusterId, store.clusterId);
      assert.deepEqual(await again.list('/k/'), then);
      const recorder = await Recorder.start(again, '/k/', 1);
      const entry = await made(put(again, '/k/0', round, { expect: then.entries[0]?.revision }));
      assert.equal(entry.revision, then.revision + 1);
      await recorder.until(entry.revision);
      assert.equal(recorder.log.length, 301);
      await clock.advance(100_000);
      assert.ok((await again.list('/k/')).entries.length <= 150);
      await again.close();
    }
    assert.equal((await store.list('/k/')).entries.length, 0);
  });

  it('takes and restores a snapshot of 18,600 entries within 5 ms', async () => {
    const { store, clock, random } = fresh();
    await Promise.all(Array.from({ length: 18_600 }, (_, i) => put(store, `/k/${(i * 7919) % 18_600}`, 'x')));
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const started = performance.now();
      const again = MemoryStore.fromSnapshot(store.snapshot(), { clock, random });
      times.push(performance.now() - started);
      assert.equal((await again.list('/k/', { limit: 1 })).remaining, 18_599);
    }
    assert.ok(Math.min(...times) < 5, `${times} ms`);
  });

  it('keeps history within its bound of events', async () => {
    const { store } = fresh({ historyEventsMax: 10 });
    for (let i = 0; i < 25; i++) await put(store, '/k', String(i));
    assert.equal(await store.compactedRevision(), 16);
    await assert.rejects(store.watch('/', 15, new Recorder('/', 15)), isCompacted(15, 16));
    const recorder = await Recorder.start(store, '/', 16);
    await recorder.until(26);
    assert.equal(recorder.log.length, 10);
  });

  it('keeps history within its bound of bytes', async () => {
    const { store } = fresh({ historyBytesMax: 10_000 });
    for (let i = 0; i < 25; i++) await put(store, '/k', 'x'.repeat(1000));
    const compacted = await store.compactedRevision();
    assert.ok(compacted > 15 && compacted < 20, String(compacted));
    const { totalBytes } = await store.size();
    assert.ok(totalBytes < 12_000, String(totalBytes));
  });

  for (const bound of [{ pendingWritesMax: 5 }, { pendingBytesMax: 5000 }]) {
    it(`refuses writes beyond the bound of those that wait (${Object.keys(bound)})`, async () => {
      const { clock, random } = fresh();
      const gate = new FaultyGate({ clock, random });
      const { store } = fresh({ gate, ...bound });
      const write = (i: number) => put(store, `/k/${i}`, 'x'.repeat(1000));
      for (let round = 0; round < 2; round++) {
        gate.hold();
        if (round === 1) gate.failNext('no space');
        const writes = [0, 1, 2, 3, 4].map(write);
        await assert.rejects(write(5), isStoreError('unavailable'));
        gate.release();
        for (const one of writes) await (round === 0 ? made(one) : assert.rejects(one, isStoreError('no space')));
      }
      await made(write(6));
    });
  }

  it('splits a flood of writes into commits of bounded size', async () => {
    const { clock, random } = fresh();
    const gate = new FaultyGate({ clock, random });
    const { store } = fresh({ gate, commitWritesMax: 10 });
    const recorder = await Recorder.start(store, '/', 1);
    await Promise.all(Array.from({ length: 95 }, (_, i) => put(store, `/k/${i}`, 'x')));
    assert.equal(gate.begun(), 10);
    assert.deepEqual(recorder.batches, [...Array(9).fill(10), 5]);
  });

  it('gives one history for one seed', async () => {
    const histories = await Promise.all(
      ['a', 'a', 'b'].map(async (seed) => {
        const random = new SeededRandom(seed);
        const clock = new VirtualClock({ turn });
        const gate = new FaultyGate({
          clock,
          random: random.fork('gate'),
          delayMsMax: 20,
          failShare: 0.2,
          maybeShare: 0.5,
        });
        const store = new MemoryStore({ clock, random, gate });
        const recorder = await Recorder.start(store, '/', 1);
        const writer = async (name: string) => {
          const own = random.fork(name);
          for (let i = 0; i < 40; i++) {
            const rest = { expireAfterSeconds: own.next() < 0.2 ? 1 : undefined };
            await put(store, `/k/${own.int(5)}`, `${name} ${i}`, rest).catch(() => clock.sleep(own.int(10)));
          }
        };
        const done = Promise.all(['x', 'y', 'z'].map(writer));
        await clock.advance(60_000);
        await done;
        return JSON.stringify(recorder.log.map(plainEvent));
      }),
    );
    assert.equal(histories[0], histories[1]);
    assert.notEqual(histories[0], histories[2]);
  });

  it('hands a companion to watchers in the same process', async () => {
    const { store } = fresh();
    const recorder = await Recorder.start(store, '/', 1);
    const value = { head: Buffer.from('{"metadata":{"resourceVersion":"'), tail: Buffer.from('"}}') };
    const entry = await made(
      store.write({ key: '/k', expect: 'any', value: { ...value, companion: (revision) => ({ revision }) } }),
    );
    assert.deepEqual(entry.companion, { revision: 2 });
    assert.equal(recorder.log[0]?.entry?.companion, entry.companion);
    assert.equal((await store.get('/k'))?.companion, entry.companion);
    assert.deepEqual(plain(await store.get('/k')), plain(entry));
  });
});
