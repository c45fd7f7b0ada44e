import assert from 'node:assert/strict';
import { joinDraft, type Store, StoreError, type Write } from '../store.ts';
import type { Case } from './cases.ts';
import { draft, made, plain, put, remove, textOf, turn, versionIn } from './under-test.ts';

/** What is at `/k` before a write with a precondition, made from nothing. */
type State = 'absent' | 'present' | 'deleted';

const bring: Record<State, (store: Store) => Promise<void>> = {
  absent: async () => {},
  present: async (store) => void (await put(store, '/k', 'before')),
  deleted: async (store) => {
    await put(store, '/k', 'before');
    await remove(store, '/k');
  },
};

/** state, expectation, written value or deletion, and whether it is done */
const PRECONDITIONS: readonly [State, 'any' | 'absent' | 'its' | 'other' | 'future', 'put' | 'delete', boolean][] = [
  ['absent', 'any', 'put', true],
  ['absent', 'absent', 'put', true],
  ['absent', 'other', 'put', false],
  ['absent', 'future', 'put', false],
  ['absent', 'any', 'delete', true],
  ['absent', 'absent', 'delete', true],
  ['absent', 'other', 'delete', false],
  ['present', 'any', 'put', true],
  ['present', 'absent', 'put', false],
  ['present', 'its', 'put', true],
  ['present', 'other', 'put', false],
  ['present', 'future', 'put', false],
  ['present', 'any', 'delete', true],
  ['present', 'absent', 'delete', false],
  ['present', 'its', 'delete', true],
  ['present', 'other', 'delete', false],
  ['deleted', 'any', 'put', true],
  ['deleted', 'absent', 'put', true],
  ['deleted', 'its', 'put', false],
  ['deleted', 'other', 'put', false],
  ['deleted', 'any', 'delete', true],
  ['deleted', 'its', 'delete', false],
];

const preconditions: Case[] = PRECONDITIONS.map(([state, expectation, action, done]) => ({
  name: `a ${action} that expects ${expectation} ${done ? 'is done' : 'is refused'} where the key is ${state}`,
  async run({ store }) {
    const earlier = await made(put(store, '/other', 'x'));
    await bring[state](store);
    const before = await store.get('/k');
    const current = await store.currentRevision();
    const known: Record<typeof expectation, Write['expect']> = {
      any: 'any',
      absent: 'absent',
      its: before?.revision ?? current - 1,
      other: earlier.revision,
      future: current + 1,
    };
    const value = action === 'put' ? draft('after') : undefined;
    const result = await store.write({ key: '/k', value, expect: known[expectation] });

    assert.equal(result.ok, done);
    const after = await store.get('/k');
    if (!result.ok) {
      assert.deepEqual(plain(result.actual), plain(before));
      assert.deepEqual(plain(after), plain(before));
      assert.equal(await store.currentRevision(), current, 'a refused write took a revision');
      return;
    }
    const changes = action === 'put' || before !== undefined;
    assert.equal(await store.currentRevision(), changes ? current + 1 : current);
    assert.equal(result.revision, changes ? current + 1 : current);
    assert.deepEqual(plain(result.previous), plain(before));
    assert.deepEqual(plain(result.entry), plain(after));
    assert.equal(textOf(after), action === 'put' ? 'after' : undefined);
    if (after) assert.equal(after.createRevision, before?.createRevision ?? after.revision);
  },
}));

export const writeCases: readonly Case[] = [
  {
    name: 'an entry knows who made it and who changed it last, and carries its revision in its value',
    async run({ store }) {
      const start = await store.currentRevision();
      const first = await made(put(store, '/k', 'one', { expect: 'absent' }));
      assert.equal(first.revision, start + 1);
      assert.equal(first.createRevision, start + 1);
      await put(store, '/other', 'x');
      const second = await made(put(store, '/k', 'two', { expect: first.revision }));
      assert.equal(second.revision, start + 3);
      assert.equal(second.createRevision, start + 1);
      assert.equal(versionIn(second), start + 3);
      assert.deepEqual(plain(await store.get('/k')), plain(second));
    },
  },
  {
    name: 'a key that was deleted and made again begins a new life',
    async run({ store }) {
      await put(store, '/k', 'one');
      await remove(store, '/k');
      const again = await made(put(store, '/k', 'two', { expect: 'absent' }));
      assert.equal(again.createRevision, again.revision);
    },
  },
  ...preconditions,
  {
    name: 'of many writers that expect the same revision exactly one wins, and the others are told of its entry',
    async run({ store }) {
      const first = await made(put(store, '/k', 'first'));
      const expect = first.revision;
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => put(store, '/k', `writer ${i}`, { expect })),
      );
      const winners = results.filter((result) => result.ok);
      assert.equal(winners.length, 1);
      for (const result of results) {
        if (!result.ok) assert.deepEqual(plain(result.actual), plain(winners[0]?.entry));
      }
    },
  },
  {
    name: 'of many writers that make the same key exactly one wins',
    async run({ store }) {
      const creators = Array.from({ length: 20 }, (_, i) => put(store, '/k', `writer ${i}`, { expect: 'absent' }));
      const results = await Promise.all(creators);
      assert.equal(results.filter((result) => result.ok).length, 1);
    },
  },
  {
    name: 'concurrent writes take the revisions that follow, each its own, and see one another in order',
    async run({ store }) {
      const start = await store.currentRevision();
      const results = await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, '/k', String(i))));
      const byRevision = results
        .map((result) => (result.ok ? result : assert.fail('refused')))
        .sort((a, b) => a.revision - b.revision);
      byRevision.forEach((result, i) => {
        assert.equal(result.revision, start + 1 + i);
        assert.deepEqual(plain(result.previous), plain(byRevision[i - 1]?.entry));
      });
    },
  },
  {
    name: 'after a write was answered every get and list shows it',
    async run({ store }) {
      const writers = Array.from({ length: 10 }, async (_, i) => {
        for (let round = 0; round < 10; round++) {
          const entry = await made(put(store, `/w/${i}`, `round ${round}`));
          assert.deepEqual(plain(await store.get(`/w/${i}`)), plain(entry));
          const { entries, revision } = await store.list(`/w/${i}`);
          assert.deepEqual(entries.map(plain), [plain(entry)]);
          assert.ok(revision >= entry.revision);
          assert.ok((await store.currentRevision()) >= entry.revision);
          await remove(store, `/w/${i}`);
          assert.equal(await store.get(`/w/${i}`), undefined);
        }
      });
      await Promise.all(writers);
    },
  },
  {
    name: 'any bytes can be a value, with the revision between head and tail',
    async run({ store }) {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      const nothing = new Uint8Array();
      const large = new Uint8Array(1_000_000).fill(7);
      const parts: [Uint8Array, Uint8Array][] = [
        [nothing, nothing],
        [all, nothing],
        [nothing, all],
        [all, large],
        [large.subarray(0, 3000), all],
      ];
      for (const [head, tail] of parts) {
        const entry = await made(store.write({ key: '/k', value: { head, tail }, expect: 'any' }));
        const expected = joinDraft({ head, tail }, entry.revision);
        assert.equal(Buffer.compare((await store.get('/k'))?.value as Uint8Array, expected), 0);
        assert.equal(Buffer.compare((await store.list('/k')).entries[0]?.value as Uint8Array, expected), 0);
      }
    },
  },
  {
    name: 'what was read does not change when the key does',
    async run({ store }) {
      await put(store, '/k', 'before');
      const got = await store.get('/k');
      const listed = (await store.list('/k')).entries[0];
      for (let i = 0; i < 20; i++) await put(store, '/k', `a longer value, ${i}`);
      await remove(store, '/k');
      await put(store, '/l', 'elsewhere');
      assert.equal(textOf(got), 'before');
      assert.equal(textOf(listed), 'before');
    },
  },
  {
    name: 'a value beyond the bound is refused as too large and changes nothing',
    async run({ store }) {
      await put(store, '/k', 'small');
      const current = await store.currentRevision();
      const value = { head: new Uint8Array(20 * 1024 * 1024), tail: new Uint8Array() };
      await assert.rejects(store.write({ key: '/k', value, expect: 'any' }), isStoreError('too large'));
      assert.equal(textOf(await store.get('/k')), 'small');
      assert.equal(await store.currentRevision(), current);
    },
  },
  {
    name: 'a companion is made once, with the revision of its entry, or not at all',
    async run({ store }) {
      const asked: number[] = [];
      const companion = (revision: number) => {
        asked.push(revision);
        return { parsed: revision };
      };
      const entry = await made(store.write({ key: '/k', value: { ...draft('x'), companion }, expect: 'any' }));
      await turn();
      assert.ok(asked.length <= 1);
      if (asked.length === 1) assert.deepEqual(asked, [entry.revision]);
      if (entry.companion !== undefined) assert.deepEqual(entry.companion, { parsed: entry.revision });
    },
  },
];

export function isStoreError(reason: StoreError['reason'], outcome: 'no' | 'maybe' = 'no') {
  return (error: unknown) => {
    assert.ok(error instanceof StoreError, `a StoreError, not ${error}`);
    assert.deepEqual({ reason: error.reason, outcome: error.outcome }, { reason, outcome });
    return true;
  };
}
