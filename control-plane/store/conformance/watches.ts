import assert from 'node:assert/strict';
import type { Case } from './cases.ts';
import { isCompacted } from './lists.ts';
import { made, plain, plainEvent, put, Recorder, remove, turn } from './under-test.ts';

export const watchCases: readonly Case[] = [
  {
    name: 'a watch tells every write once, in order, with what was there before',
    async run({ store }) {
      const recorder = await Recorder.start(store, '/k/', await store.currentRevision());
      const a1 = await made(put(store, '/k/a', 'one'));
      const b1 = await made(put(store, '/k/b', 'one'));
      const a2 = await made(put(store, '/k/a', 'two'));
      const deletion = await remove(store, '/k/a');
      assert.ok(deletion.ok);
      const a3 = await made(put(store, '/k/a', 'three'));
      await recorder.until(a3.revision);
      assert.deepEqual(recorder.log.map(plainEvent), [
        { type: 'put', key: '/k/a', revision: a1.revision, entry: plain(a1), previous: undefined },
        { type: 'put', key: '/k/b', revision: b1.revision, entry: plain(b1), previous: undefined },
        { type: 'put', key: '/k/a', revision: a2.revision, entry: plain(a2), previous: plain(a1) },
        { type: 'delete', key: '/k/a', revision: deletion.revision, entry: undefined, previous: plain(a2) },
        { type: 'put', key: '/k/a', revision: a3.revision, entry: plain(a3), previous: undefined },
      ]);
    },
  },
  {
    name: 'a watch hears of its prefix only, and reaches the present all the same',
    async run({ store }) {
      const recorder = await Recorder.start(store, '/k/', await store.currentRevision());
      for (const key of ['/k', '/k0', '/j/a', '/l']) await put(store, key, 'x');
      await recorder.until(await store.currentRevision());
      assert.deepEqual(recorder.log, []);
    },
  },
  {
    name: 'a watch from an earlier revision tells what came since, then goes on without a gap',
    async run({ store }) {
      const start = await store.currentRevision();
      const all = await Recorder.start(store, '/k/', start);
      let writing = true;
      const writers = Array.from({ length: 6 }, async (_, writer) => {
        for (let i = 0; i < 60; i++) {
          const key = `/k/${(writer + i) % 9}`;
          if (i % 5 === 4) await remove(store, key);
          else await put(store, key, `${writer}.${i}`);
        }
      });
      const late: { after: number; recorder: Recorder }[] = [];
      const starter = (async () => {
        while (writing) {
          const current = await store.currentRevision();
          const after = start + Math.floor((current - start) * ((late.length % 4) / 3));
          late.push({ after, recorder: await Recorder.start(store, '/k/', after) });
          for (let i = 0; i < 3; i++) await turn();
          if (late.length > 60) return;
        }
      })();
      await Promise.all(writers);
      writing = false;
      await starter;
      const end = await store.currentRevision();
      await all.until(end);
      const events = all.log.map(plainEvent);
      for (const { after, recorder } of late) {
        await recorder.until(end);
        const expected = events.filter((event) => event.revision > after);
        assert.deepEqual(recorder.log.map(plainEvent), expected, `after ${after}`);
      }
    },
  },
  {
    name: 'when a write is answered its watchers have been told, or are in the same turn',
    async run({ store }) {
      const recorder = await Recorder.start(store, '/k/', await store.currentRevision());
      for (let i = 0; i < 50; i++) {
        const { revision } = await made(put(store, '/k/a', String(i)));
        await turn();
        assert.equal(recorder.log.at(-1)?.revision, revision);
        assert.ok(recorder.reached >= revision);
      }
    },
  },
  {
    name: 'a watch from the present reports that it is up to date, without a write',
    async run({ store }) {
      await put(store, '/k/a', 'x');
      const current = await store.currentRevision();
      const recorder = await Recorder.start(store, '/k/', current - 1);
      await recorder.until(current);
      assert.equal(recorder.log.length, 1);
    },
  },
  {
    name: 'a watch from a revision that was not reached tells only what comes after it',
    async run({ store }) {
      const start = await store.currentRevision();
      const recorder = await Recorder.start(store, '/k/', start + 2);
      for (let i = 0; i < 4; i++) await put(store, '/k/a', String(i));
      await recorder.until(start + 4);
      assert.deepEqual(
        recorder.log.map((event) => event.revision),
        [start + 3, start + 4],
      );
    },
  },
  {
    name: 'a watch that was closed is not called again',
    async run({ store }) {
      const start = await store.currentRevision();
      const closed = await Recorder.start(store, '/k/', start);
      const other = await Recorder.start(store, '/k/', start);
      await put(store, '/k/a', 'one');
      await closed.until(await store.currentRevision());
      closed.watch?.close();
      closed.watch?.close();
      await put(store, '/k/a', 'two');
      await other.until(await store.currentRevision());
      assert.equal(closed.log.length, 1);
      assert.equal(closed.endedWith, 'not yet');
    },
  },
  {
    name: 'a handler may close its own watch, and another, while it is called',
    async run({ store }) {
      const start = await store.currentRevision();
      const other = new Recorder('/k/', start);
      let calls = 0;
      const watch = await store.watch('/k/', start, {
        events() {
          calls++;
          watch.close();
          other.watch?.close();
        },
        progress() {
          assert.equal(calls, 0, 'called after it closed itself');
        },
        ended() {
          assert.fail('a closed watch does not end');
        },
      });
      other.watch = await store.watch('/k/', start, other);
      await put(store, '/k/a', 'one');
      const { revision } = await made(put(store, '/k/a', 'two'));
      const last = await Recorder.start(store, '/k/', start);
      await last.until(revision);
      assert.equal(calls, 1);
      assert.ok(other.log.length <= 1);
    },
  },
  {
    name: 'a watch from before the compaction is refused, from just there it goes on',
    async run({ store }) {
      await put(store, '/k/a', 'one');
      const at = await made(put(store, '/k/a', 'two'));
      const late = await made(put(store, '/k/a', 'three'));
      await store.compact(at.revision);
      const handler = new Recorder('/k/', at.revision - 1);
      await assert.rejects(store.watch('/k/', at.revision - 1, handler), isCompacted(at.revision - 1, at.revision));
      const recorder = await Recorder.start(store, '/k/', at.revision);
      await recorder.until(late.revision);
      assert.deepEqual(recorder.log.map(plainEvent), [
        { type: 'put', key: '/k/a', revision: late.revision, entry: plain(late), previous: plain(at) },
      ]);
      assert.equal(handler.log.length, 0);
    },
  },
  {
    name: 'revision 0 is before all history',
    async run({ store }) {
      await put(store, '/k/a', 'x');
      const compacted = await store.compactedRevision();
      await assert.rejects(store.watch('/k/', 0, new Recorder('/k/', 0)), isCompacted(0, compacted));
      await assert.rejects(store.list('/k/', { revision: 0 }), isCompacted(0, compacted));
    },
  },
  {
    name: 'a watch that is up to date outlives a compaction',
    async run({ store }) {
      const recorder = await Recorder.start(store, '/k/', await store.currentRevision());
      const first = await made(put(store, '/k/a', 'one'));
      await recorder.until(first.revision);
      await store.compact(await store.currentRevision());
      const second = await made(put(store, '/k/a', 'two'));
      await recorder.until(second.revision);
      assert.deepEqual(plain(recorder.log[1]?.previous), plain(first));
    },
  },
];
