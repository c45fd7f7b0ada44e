import assert from 'node:assert/strict';
import type { Store } from '../store.ts';
import type { Case } from './cases.ts';
import { isCompacted } from './lists.ts';
import { made, plain, plainEvent, put, Recorder, remove, type StoreUnderTest, textOf } from './under-test.ts';
import { isStoreError } from './writes.ts';

const reopened = (under: StoreUnderTest): Promise<Store> => {
  assert.ok(under.reopen);
  return under.reopen();
};

/** How late an expiry may be. */
const ACCURACY_MS = 10_000;

export const lifetimeCases: readonly Case[] = [
  {
    name: 'a key expires as a deletion, not before its time and not long after',
    async run(under) {
      const { store } = under;
      const recorder = await Recorder.start(store, '/k/', await store.currentRevision());
      const entry = await made(put(store, '/k/short', 'x', { expireAfterSeconds: 3 }));
      const stays = await made(put(store, '/k/long', 'x', { expireAfterSeconds: 3600 }));
      const forever = await made(put(store, '/k/forever', 'x'));
      await under.pass(1500);
      assert.deepEqual(plain(await store.get('/k/short')), plain(entry));
      await under.pass(1500 + ACCURACY_MS);
      await recorder.when(() => recorder.log.length >= 4, 'the expiry');
      assert.deepEqual(recorder.log.slice(3).map(plainEvent), [
        { type: 'delete', key: '/k/short', revision: forever.revision + 1, entry: undefined, previous: plain(entry) },
      ]);
      assert.deepEqual((await store.list('/k/')).entries.map(plain), [plain(forever), plain(stays)]);
    },
  },
  {
    name: 'every write sets the expiry anew',
    async run(under) {
      const { store } = under;
      await put(store, '/k/kept', 'x', { expireAfterSeconds: 3 });
      await put(store, '/k/kept', 'y');
      await put(store, '/k/extended', 'x', { expireAfterSeconds: 3 });
      await put(store, '/k/extended', 'y', { expireAfterSeconds: 3600 });
      await put(store, '/k/again', 'x', { expireAfterSeconds: 3 });
      await remove(store, '/k/again');
      await put(store, '/k/again', 'y');
      await put(store, '/k/shortened', 'x', { expireAfterSeconds: 3600 });
      await put(store, '/k/shortened', 'y', { expireAfterSeconds: 3 });
      await under.pass(3000 + ACCURACY_MS);
      const recorder = await Recorder.start(store, '/k/', (await store.currentRevision()) - 1);
      await recorder.when(
        () => recorder.log.some((event) => event.key === '/k/shortened' && event.type === 'delete'),
        'the expiry',
      );
      const keys = (await store.list('/k/')).entries.map((entry) => entry.key);
      assert.deepEqual(keys, ['/k/again', '/k/extended', '/k/kept']);
    },
  },
  {
    name: 'many keys that expire together all go',
    async run(under) {
      const { store } = under;
      const start = await store.currentRevision();
      const recorder = await Recorder.start(store, '/k/', start);
      await Promise.all(Array.from({ length: 1200 }, (_, i) => put(store, `/k/${i}`, 'x', { expireAfterSeconds: 2 })));
      for (let i = 0; i < 4 && recorder.log.length < 2400; i++) await under.pass(ACCURACY_MS / 2);
      await recorder.when(() => recorder.log.length >= 2400, 'the expiries');
      assert.equal((await store.list('/k/')).entries.length, 0);
    },
  },
  {
    name: 'a restart keeps entries, revisions and the cluster id',
    needs: 'reopen',
    async run(under) {
      await put(under.store, '/k/a', 'one');
      await put(under.store, '/k/b', 'one');
      await put(under.store, '/k/a', 'two');
      await remove(under.store, '/k/b');
      const before = await under.store.list('/');
      const { clusterId } = under.store;
      const store = await reopened(under);
      assert.deepEqual(await store.list('/').then((r) => [r.revision, r.entries.map(plain)]), [
        before.revision,
        before.entries.map(plain),
      ]);
      assert.equal(store.clusterId, clusterId);
      assert.ok(clusterId.length >= 8);
      const next = await made(put(store, '/k/b', 'made again', { expect: 'absent' }));
      assert.equal(next.revision, before.revision + 1);
    },
  },
  {
    name: 'a restart keeps history: watches and earlier states go on as if nothing had happened',
    needs: 'reopen',
    async run(under) {
      const start = await under.store.currentRevision();
      const first = await Recorder.start(under.store, '/k/', start);
      for (let i = 0; i < 30; i++) {
        if (i % 4 === 3) await remove(under.store, `/k/${(i - 1) % 3}`);
        else await put(under.store, `/k/${i % 3}`, String(i));
      }
      const middle = start + 10;
      const then = (await under.store.list('/k/', { revision: middle })).entries.map(plain);
      await first.until(await under.store.currentRevision());
      const store = await reopened(under);
      const second = await Recorder.start(store, '/k/', start);
      await put(store, '/elsewhere', 'x');
      await second.until(await store.currentRevision());
      assert.deepEqual(second.log.map(plainEvent), first.log.map(plainEvent));
      assert.deepEqual((await store.list('/k/', { revision: middle })).entries.map(plain), then);
    },
  },
  {
    name: 'a restart does not bring back what was compacted',
    needs: 'reopen',
    async run(under) {
      for (let i = 0; i < 6; i++) await put(under.store, '/k', String(i));
      const current = await under.store.currentRevision();
      await under.store.compact(current - 2);
      const store = await reopened(under);
      assert.equal(await store.compactedRevision(), current - 2);
      const refused = store.watch('/k', current - 3, new Recorder('/k', current - 3));
      await assert.rejects(refused, isCompacted(current - 3, current - 2));
      assert.equal(textOf(await store.get('/k')), '5');
    },
  },
  {
    name: 'what expires while the store is closed is gone soon after it opens',
    needs: 'reopen',
    async run(under) {
      await put(under.store, '/k/short', 'x', { expireAfterSeconds: 3 });
      await put(under.store, '/k/long', 'x', { expireAfterSeconds: 3600 });
      const start = await under.store.currentRevision();
      const store = await reopened(under);
      const recorder = await Recorder.start(store, '/k/', start);
      await under.pass(3000 + ACCURACY_MS);
      await recorder.when(() => recorder.log.length > 0, 'the expiry');
      assert.deepEqual(
        recorder.log.map((event) => [event.type, event.key]),
        [['delete', '/k/short']],
      );
      assert.equal((await store.list('/k/')).entries.length, 1);
    },
  },
  {
    name: 'close finishes what was accepted, ends watches, and refuses everything after',
    async run({ store }) {
      const recorder = await Recorder.start(store, '/', await store.currentRevision());
      await put(store, '/k', 'x');
      await recorder.until(await store.currentRevision());
      const last = put(store, '/k', 'last');
      const closed = store.close();
      const calls: (() => Promise<unknown>)[] = [
        () => put(store, '/k', 'too late'),
        () => store.get('/k'),
        () => store.list('/'),
        () => store.watch('/', 1, recorder),
        async () => store.currentRevision(),
        () => store.compactedRevision(),
        () => store.compact(1),
        () => store.size(),
      ];
      for (const call of calls) await assert.rejects(call(), isStoreError('closed'));
      assert.ok((await last).ok);
      await closed;
      await store.close();
      assert.equal(recorder.endedWith, undefined);
      for (const call of calls) await assert.rejects(call(), isStoreError('closed'));
    },
  },
  {
    name: 'what close finished is there after a restart',
    needs: 'reopen',
    async run(under) {
      const writes = Array.from({ length: 100 }, (_, i) => put(under.store, `/k/${i}`, 'x'));
      const store = await reopened(under);
      await Promise.all(writes);
      assert.equal((await store.list('/k/')).entries.length, 100);
    },
  },
];
