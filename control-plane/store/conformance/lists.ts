import assert from 'node:assert/strict';
import { CompactedError, type Entry, FutureRevisionError, type Store } from '../store.ts';
import type { Case } from './cases.ts';
import { made, plain, put, Recorder, remove, textOf, turn } from './under-test.ts';

const keysOf = (entries: readonly Entry[]) => entries.map((entry) => entry.key);

/** Keys that are hard to keep in order: prefixes of one another, around the separator, beyond ASCII and beyond UTF-16. */
const ORDERED = [
  '/a',
  '/a-b/1',
  '/a/',
  '/a/1',
  '/a/10',
  '/a/2',
  '/a/2/x',
  '/a0',
  '/a~',
  '/aé',
  '/a中',
  '/a\ufb01',
  '/a\u{1f600}',
  '/b',
];

/** Fills `/p/000` to `/p/<count>`, and neighbours on both sides. */
async function fill(store: Store, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => `/p/${String(i).padStart(3, '0')}`);
  await Promise.all([...keys, '/o/999', '/p', '/p0', '/q/000'].map((key) => put(store, key, `first ${key}`)));
  return keys;
}

export const listCases: readonly Case[] = [
  {
    name: 'a list is in bytewise order, whatever the order of writing',
    async run({ store }) {
      const shuffled = ORDERED.map((_, i) => ORDERED[(i * 5 + 3) % ORDERED.length] as string);
      for (const key of shuffled) await put(store, key, key);
      const { entries } = await store.list('/');
      assert.deepEqual(keysOf(entries), ORDERED);
      for (const entry of entries) assert.equal(textOf(entry), entry.key);
    },
  },
  {
    name: 'a list has the keys with the prefix and no others',
    async run({ store }) {
      for (const key of ORDERED) await put(store, key, key);
      for (const prefix of ['/a', '/a/', '/a/1', '/a/2', '/aé', '/a\ufb01', '/a\u{1f600}', '/c', '/']) {
        const expected = ORDERED.filter((key) => key.startsWith(prefix));
        const result = await store.list(prefix);
        assert.deepEqual(keysOf(result.entries), expected, prefix);
        assert.equal(result.more, false);
        assert.equal(result.remaining, 0);
      }
    },
  },
  {
    name: 'an empty list has the present revision',
    async run({ store }) {
      const { revision } = await made(put(store, '/elsewhere', 'x'));
      assert.deepEqual(await store.list('/nothing/'), { entries: [], revision, more: false, remaining: 0 });
    },
  },
  {
    name: 'pages join to the whole, and say what remains',
    async run({ store }) {
      const keys = await fill(store, 137);
      for (const limit of [1, 10, 136, 137, 138]) {
        const seen: string[] = [];
        let after: string | undefined;
        for (;;) {
          const page = await store.list('/p/', { limit, after });
          seen.push(...keysOf(page.entries));
          assert.equal(page.remaining, keys.length - seen.length);
          assert.equal(page.more, seen.length < keys.length);
          if (!page.more) break;
          assert.equal(page.entries.length, limit);
          after = seen.at(-1);
          if (limit === 1 && seen.length > 5) return;
        }
        assert.deepEqual(seen, keys);
      }
    },
  },
  {
    name: 'a list can go on after a key that is not there, or outside the prefix',
    async run({ store }) {
      const keys = await fill(store, 20);
      const cases: [string, string[]][] = [
        ['/p/0045', keys.slice(5)],
        ['/o/zzz', keys],
        ['/q', []],
        ['/p/019', []],
      ];
      for (const [after, expected] of cases) {
        const result = await store.list('/p/', { after });
        assert.deepEqual(keysOf(result.entries), expected, after);
        assert.equal(result.remaining, 0);
        const page = await store.list('/p/', { after, limit: 3 });
        assert.equal(page.remaining, Math.max(0, expected.length - 3), after);
      }
    },
  },
  {
    name: 'pages at one revision are one snapshot while others write',
    async run({ store }) {
      const keys = await fill(store, 60);
      const first = await store.list('/p/', { limit: 20 });
      const expected = (await store.list('/p/')).entries.map(plain);
      await remove(store, '/p/010');
      await remove(store, '/p/030');
      await put(store, '/p/0305', 'new');
      await put(store, '/p/045', 'changed');
      await put(store, '/p/045', 'changed again');
      await remove(store, '/p/050');
      await put(store, '/p/050', 'made again');
      const seen = [...first.entries];
      let remaining = first.remaining;
      while (remaining > 0) {
        const after = seen.at(-1)?.key as string;
        const page = await store.list('/p/', { limit: 20, after, revision: first.revision });
        assert.equal(page.revision, first.revision);
        seen.push(...page.entries);
        assert.equal(page.remaining, keys.length - seen.length);
        remaining = page.remaining;
      }
      assert.deepEqual(seen.map(plain), expected);
    },
  },
  {
    name: 'a list shows any earlier state within history',
    async run({ store }) {
      const states: { revision: number; entries: unknown[] }[] = [];
      const note = async () => {
        const { revision, entries } = await store.list('/s/');
        states.push({ revision, entries: entries.map(plain) });
      };
      await note();
      for (let i = 0; i < 40; i++) {
        const key = `/s/${(i * 7) % 5}`;
        if (i % 3 === 2) await remove(store, key);
        else await put(store, key, `step ${i}`);
        if (i % 4 === 0) await put(store, '/t/elsewhere', String(i));
        await note();
      }
      for (const { revision, entries } of states) {
        const then = await store.list('/s/', { revision });
        assert.deepEqual(then.entries.map(plain), entries);
        assert.equal(then.revision, revision);
      }
    },
  },
  {
    name: 'a list at a revision that was not reached fails',
    async run({ store }) {
      const { revision } = await made(put(store, '/k', 'x'));
      await assert.rejects(store.list('/', { revision: revision + 1 }), (error: unknown) => {
        assert.ok(error instanceof FutureRevisionError, String(error));
        assert.deepEqual([error.requested, error.current], [revision + 1, revision]);
        return true;
      });
    },
  },
  {
    name: 'a list during writes is the state at its revision',
    async run({ store }) {
      const start = await store.currentRevision();
      const recorder = await Recorder.start(store, '/p/', start);
      let writing = true;
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; i < 30; i++) {
          const key = `/p/${(writer * 3 + i) % 12}`;
          if (i % 4 === 3) await remove(store, key);
          else await put(store, key, `${writer}.${i}`);
        }
      });
      const lists: { revision: number; entries: readonly Entry[] }[] = [];
      const reader = (async () => {
        while (writing) {
          lists.push(await store.list('/p/'));
          await turn();
        }
      })();
      await Promise.all(writers);
      writing = false;
      await reader;
      await recorder.until(await store.currentRevision());
      for (const { revision, entries } of lists) {
        const state = new Map<string, Entry>();
        for (const event of recorder.log) {
          if (event.revision > revision) break;
          if (event.entry) state.set(event.key, event.entry);
          else state.delete(event.key);
        }
        const expected = [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
        assert.deepEqual(entries.map(plain), expected.map(plain), `at ${revision}`);
      }
    },
  },
  {
    name: 'compaction forgets what was, and keeps what is',
    async run({ store }) {
      const old = await made(put(store, '/k', 'one'));
      await put(store, '/gone', 'x');
      await remove(store, '/gone');
      const at = await made(put(store, '/k', 'two'));
      const state = (await store.list('/')).entries.map(plain);
      const late = await made(put(store, '/k', 'three'));
      await store.compact(at.revision);

      assert.equal(await store.compactedRevision(), at.revision);
      await assert.rejects(store.list('/', { revision: at.revision - 1 }), isCompacted(at.revision - 1, at.revision));
      await assert.rejects(store.list('/', { revision: old.revision }), isCompacted(old.revision, at.revision));
      assert.deepEqual((await store.list('/', { revision: at.revision })).entries.map(plain), state);
      assert.deepEqual(plain(await store.get('/k')), plain(late));
      assert.equal((await store.list('/')).entries.length, 1);
      assert.equal(await store.currentRevision(), late.revision);
    },
  },
  {
    name: 'compaction never goes back, and not beyond the present',
    async run({ store }) {
      for (let i = 0; i < 5; i++) await put(store, '/k', String(i));
      const current = await store.currentRevision();
      await store.compact(current - 1);
      await store.compact(current - 3);
      await store.compact(current - 1);
      assert.equal(await store.compactedRevision(), current - 1);
      await assert.rejects(store.compact(current + 1), FutureRevisionError);
      await store.compact(current);
      assert.equal(await store.compactedRevision(), current);
      assert.equal(textOf(await store.get('/k')), '4');
    },
  },
  {
    name: 'size counts the keys that are there',
    async run({ store }) {
      const { keys } = await store.size();
      for (let i = 0; i < 10; i++) await put(store, `/k/${i}`, 'x'.repeat(1000));
      await remove(store, '/k/3');
      const size = await store.size();
      assert.equal(size.keys, keys + 9);
      assert.ok(size.usedBytes >= 9000, `${size.usedBytes} bytes used`);
      assert.ok(size.totalBytes >= size.usedBytes);
    },
  },
];

export function isCompacted(requested: number, compactedRevision: number) {
  return (error: unknown) => {
    assert.ok(error instanceof CompactedError, `a CompactedError, not ${error}`);
    assert.equal(error.requested, requested);
    assert.equal(error.compactedRevision, compactedRevision);
    return true;
  };
}
