import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { type Etcd, readTls, startEtcd } from '../../../../tests/harness/etcd.ts';
import { requires } from '../../../../tests/harness/requirements.ts';
import { storeConformance } from '../../conformance/conformance.ts';
import { draft, made, plain, put, Recorder, remove, textOf } from '../../conformance/under-test.ts';
import { isStoreError } from '../../conformance/writes.ts';
import { CompactedError } from '../../store.ts';
import { EtcdClient } from './client.ts';
import { dialEtcd } from './dial/dial.ts';
import { EtcdStore, type EtcdStoreOptions } from './etcd-store.ts';

const clock = new RealClock();
const needs = requires('etcd');

let prefixes = 0;
const newPrefix = () => `/test-${prefixes++}`;

const open = (etcd: Etcd, options: Partial<EtcdStoreOptions> = {}) => {
  const channels = dialEtcd(etcd.endpoints, { clock, tls: etcd.tls && readTls(etcd.tls) });
  const random = new SeededRandom(options.keyPrefix ?? newPrefix());
  return EtcdStore.open({ channels, clock, random, ...options });
};

let single: Etcd;
before(async () => {
  if (needs.skip === undefined) single = await startEtcd({ fsync: false });
});
after(() => single?.dispose());

storeConformance(
  'etcd',
  async () => {
    const keyPrefix = newPrefix();
    let store = await open(single, { keyPrefix });
    return {
      store,
      // Time is etcd's own: what is waited for here is what cases look at afterwards.
      pass: (ms) => setTimeout(Math.min(ms, 3_200)),
      reopen: async () => {
        await store.close();
        store = await open(single, { keyPrefix });
        return store;
      },
      async disturb(random) {
        await setTimeout(random.int(200));
        const [member] = single.members;
        await member?.kill();
        await member?.start();
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  },
  needs,
);

describe('etcd store', needs, () => {
  it('is the same for all servers that share it', async () => {
    const keyPrefix = newPrefix();
    const [a, b] = [await open(single, { keyPrefix }), await open(single, { keyPrefix })];
    assert.equal(a.clusterId, b.clusterId);
    const start = await a.currentRevision();
    const recorders = [await Recorder.start(a, '/k/', start), await Recorder.start(b, '/k/', start)];
    const first = await made(put(a, '/k/a', 'by a', { expect: 'absent' }));
    assert.deepEqual(plain(await b.get('/k/a')), plain(first));
    const second = await made(put(b, '/k/a', 'by b', { expect: first.revision }));
    const late = await put(a, '/k/a', 'by a again', { expect: first.revision });
    assert.deepEqual(late.ok ? 'done' : plain(late.actual), plain(second));
    for (const recorder of recorders) {
      await recorder.until(second.revision);
      assert.deepEqual(
        recorder.log.map((event) => [textOf(event.previous), textOf(event.entry)]),
        [
          [undefined, 'by a'],
          ['by a', 'by b'],
        ],
      );
    }
    await a.close();
    await b.close();
  });

  it('sees nothing of another cluster in the same etcd', async () => {
    const [a, b] = [await open(single), await open(single, { keyPrefix: newPrefix() })];
    assert.notEqual(a.clusterId, b.clusterId);
    const recorder = await Recorder.start(b, '/', await b.currentRevision());
    await put(a, '/k/a', 'x');
    assert.equal((await b.list('/')).entries.length, 0);
    await recorder.until(await b.currentRevision());
    assert.equal(recorder.log.length, 0);
    await a.close();
    await b.close();
  });

  it('lists more than one page of large values as one state', async () => {
    const store = await open(single, { keyPrefix: newPrefix() });
    const large = 'x'.repeat(100_000);
    await Promise.all(Array.from({ length: 250 }, (_, i) => put(store, `/k/${String(i).padStart(3, '0')}`, large)));
    const listing = store.list('/k/');
    const removals = Array.from({ length: 250 }, (_, i) => remove(store, `/k/${String(i).padStart(3, '0')}`));
    const { entries, revision } = await listing;
    await Promise.all(removals);
    const again = await store.list('/k/', { revision });
    assert.deepEqual(again.entries.map(plain), entries.map(plain));
    await store.close();
  });

  it('ends a watch that was cut off while history was compacted', async () => {
    const etcd = await startEtcd({ fsync: false });
    try {
      const store = await open(etcd, { keyPrefix: newPrefix() });
      const other = await open(etcd, { keyPrefix: newPrefix() });
      const before = await made(put(store, '/k/a', 'x'));
      const recorder = await Recorder.start(store, '/k/', before.revision);
      await etcd.stop();
      await etcd.start();
      // The other one is back first, and quick.
      for (let i = 0; i < 5; i++) await put(other, '/k/b', String(i));
      await remove(store, '/k/a').catch(() => undefined);
      await other.compact(await other.currentRevision());
      const { revision } = await made(put(store, '/k/c', 'y'));
      await recorder.when(
        () => recorder.endedWith !== 'not yet' || recorder.reached >= revision,
        'its end or its events',
      );
      if (recorder.endedWith !== 'not yet') assert.ok(recorder.endedWith instanceof CompactedError);
      else
        assert.deepEqual(
          recorder.log.map((event) => event.type),
          ['delete', 'put'],
        );
      await store.close();
      await other.close();
    } finally {
      await etcd.dispose();
    }
  });

  it('refuses writes to an etcd without space, and reads on', async () => {
    const etcd = await startEtcd({ fsync: false, flags: ['--quota-backend-bytes=2000000'] });
    try {
      const store = await open(etcd);
      let failure: unknown;
      let count = 0;
      for (; failure === undefined && count < 100; count++) {
        await put(store, `/k/${count}`, 'x'.repeat(100_000)).catch((error) => {
          failure = error;
        });
      }
      isStoreError('no space')(failure);
      assert.equal((await store.list('/k/')).entries.length, count - 1);
      await store.close();
    } finally {
      await etcd.dispose();
    }
  });

  it('calls too large what etcd does not take', async () => {
    const store = await open(single, { keyPrefix: newPrefix(), valueBytesMax: 10_000_000 });
    await assert.rejects(put(store, '/k', 'x'.repeat(2_000_000)), isStoreError('too large'));
    await store.close();
  });

  it('does not take the data of a newer version', async () => {
    const keyPrefix = newPrefix();
    const client = new EtcdClient({
      channels: dialEtcd(single.endpoints, { clock }),
      clock,
      random: new SeededRandom(1),
    });
    const value = new TextEncoder().encode('{"format":9,"clusterId":"x"}');
    const requestPut = { key: `${keyPrefix}tutti/format`, value, prevKv: false };
    await client.txn({ compare: [], success: [{ requestPut }], failure: [] });
    await client.close();
    await assert.rejects(open(single, { keyPrefix }), (error: unknown) => {
      assert.match((error as Error).message, /written by a newer version: they have format 9, this version knows 1$/);
      return isStoreError('wrong format')(error);
    });
  });

  it('says that nobody answers, within its time', async () => {
    const started = clock.monotonic();
    const channels = dialEtcd(['http://127.0.0.1:9', 'http://127.0.0.1:10'], { clock });
    const opening = EtcdStore.open({ channels, clock, random: new SeededRandom(1), requestTimeoutMs: 500 });
    await assert.rejects(opening, isStoreError('unavailable'));
    assert.ok(clock.monotonic() - started < 2_000);
  });

  it('carries the companion of its own writes in the answer', async () => {
    const store = await open(single, { keyPrefix: newPrefix() });
    const value = { ...draft('x'), companion: (revision: number) => ({ revision }) };
    const entry = await made(store.write({ key: '/k', value, expect: 'any' }));
    assert.deepEqual(entry.companion, { revision: entry.revision });
    await store.close();
  });
});

describe('etcd store over TLS', needs, () => {
  it('shows its certificate, and is refused without', async () => {
    const etcd = await startEtcd({ fsync: false, tls: true });
    try {
      const store = await open(etcd);
      await made(put(store, '/k', 'secret'));
      const recorder = await Recorder.start(store, '/', await store.currentRevision());
      const { revision } = await made(put(store, '/k', 'more'));
      await recorder.until(revision);
      await store.close();
      assert.ok(etcd.tls);
      const { ca } = readTls(etcd.tls);
      const channels = dialEtcd(etcd.endpoints, { clock, tls: { ca } });
      const opening = EtcdStore.open({ channels, clock, random: new SeededRandom(1), requestTimeoutMs: 500 });
      await assert.rejects(opening, isStoreError('unavailable'));
    } finally {
      await etcd.dispose();
    }
  });
});
