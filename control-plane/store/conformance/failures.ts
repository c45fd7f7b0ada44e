import assert from 'node:assert/strict';
import type { Case } from './cases.ts';
import { type CommitControl, draft, made, plain, put, Recorder, remove, textOf, turn } from './under-test.ts';
import { isStoreError } from './writes.ts';

/** Resolves when a commit is in flight, and stays so. */
async function inFlight(commits: CommitControl | undefined): Promise<CommitControl> {
  assert.ok(commits);
  const before = commits.begun();
  for (let i = 0; i < 1000 && commits.begun() === before; i++) await turn();
  assert.notEqual(commits.begun(), before, 'no commit was begun');
  return commits;
}

/** Whether a promise is still open after what was ready has run. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol();
  for (let i = 0; i < 5; i++) await turn();
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(open)])) === open;
}

const held = (under: { commits?: CommitControl }): CommitControl => {
  assert.ok(under.commits);
  under.commits.hold();
  return under.commits;
};

export const failureCases: readonly Case[] = [
  {
    name: 'nothing shows before it is durable',
    needs: 'commits',
    async run(under) {
      const { store } = under;
      const before = await made(put(store, '/k', 'before'));
      const recorder = await Recorder.start(store, '/', before.revision);
      const commits = held(under);
      const write = put(store, '/k', 'after');
      await inFlight(commits);
      assert.ok(await isOpen(write), 'answered before its commit');
      assert.deepEqual(plain(await store.get('/k')), plain(before));
      const listed = await store.list('/');
      assert.deepEqual(listed.entries.map(plain), [plain(before)]);
      assert.equal(listed.revision, before.revision);
      assert.equal(await store.currentRevision(), before.revision);
      assert.deepEqual([recorder.log.length, recorder.reached], [0, before.revision]);
      commits.release();
      const after = await made(write);
      assert.deepEqual(plain(await store.get('/k')), plain(after));
      await recorder.until(after.revision);
    },
  },
  {
    name: 'who meets a write that is not durable yet is answered after it is',
    needs: 'commits',
    async run(under) {
      const { store } = under;
      const commits = held(under);
      const write = put(store, '/k', 'first', { expect: 'absent' });
      await inFlight(commits);
      const late = put(store, '/k', 'second', { expect: 'absent' });
      assert.ok(await isOpen(late), 'told of what a crash could undo');
      commits.release();
      const first = await made(write);
      const answer = await late;
      assert.ok(!answer.ok);
      assert.deepEqual(plain(answer.actual), plain(first));
    },
  },
  {
    name: 'preconditions are checked against writes that are not durable yet',
    needs: 'commits',
    async run(under) {
      const { store } = under;
      const before = await made(put(store, '/k', 'before'));
      const commits = held(under);
      const winner = put(store, '/k', 'winner', { expect: before.revision });
      await inFlight(commits);
      const next = remove(store, '/k', before.revision + 1);
      const loser = put(store, '/k', 'loser', { expect: before.revision });
      const creator = put(store, '/k', 'made again', { expect: 'absent' });
      commits.release();
      assert.ok((await winner).ok);
      const deletion = await next;
      assert.ok(deletion.ok);
      assert.equal(textOf(deletion.previous), 'winner');
      assert.deepEqual(await loser, { ok: false, actual: undefined });
      const again = await made(creator);
      assert.equal(again.createRevision, again.revision);
    },
  },
  {
    name: 'writes that arrive during a commit share the next, and come in one batch',
    needs: 'commits',
    async run(under) {
      const { store } = under;
      const recorder = await Recorder.start(store, '/', await store.currentRevision());
      await turn();
      const commits = held(under);
      const first = put(store, '/k/first', 'x');
      await inFlight(commits);
      const begun = commits.begun();
      const others = Array.from({ length: 30 }, (_, i) => put(store, `/k/${i}`, 'x'));
      await turn();
      const more = Array.from({ length: 30 }, (_, i) => put(store, `/k/${30 + i}`, 'x'));
      await turn();
      assert.equal(commits.begun(), begun, 'two commits at once');
      commits.release();
      await Promise.all([first, ...others, ...more]);
      assert.equal(commits.begun(), begun + 1);
      await recorder.until(await store.currentRevision());
      assert.deepEqual(recorder.batches, [1, 60]);
    },
  },
  {
    name: 'a commit that fails rejects every write in it, and nothing of it is ever seen',
    needs: 'commits',
    async run(under) {
      const { store, commits } = under;
      assert.ok(commits);
      const before = await made(put(store, '/k/a', 'before'));
      const recorder = await Recorder.start(store, '/', before.revision);
      commits.failNext('no space', 'no');
      const writes = [put(store, '/k/a', 'lost'), put(store, '/k/b', 'lost'), remove(store, '/k/a')];
      for (const write of writes) await assert.rejects(write, isStoreError('no space'));
      assert.deepEqual((await store.list('/')).entries.map(plain), [plain(before)]);
      assert.equal(await store.currentRevision(), before.revision);
      assert.equal(recorder.log.length, 0);

      const after = await made(put(store, '/k/a', 'after', { expect: before.revision }));
      await made(put(store, '/k/b', 'after', { expect: 'absent' }));
      await recorder.until(await store.currentRevision());
      assert.deepEqual(
        recorder.log.map((event) => textOf(event.entry)),
        ['after', 'after'],
      );
      assert.deepEqual(plain(recorder.log[0]?.previous), plain(before));
      assert.ok(after.revision > before.revision);
    },
  },
  {
    name: 'writes that were built upon a failed commit are rejected too, and the pending head falls back',
    needs: 'commits',
    async run(under) {
      const { store } = under;
      const before = await made(put(store, '/k', 'before'));
      const commits = held(under);
      const doomed = put(store, '/k', 'doomed', { expect: before.revision });
      await inFlight(commits);
      const upon = put(store, '/k', 'built upon it', { expect: before.revision + 1 });
      const refused = put(store, '/k', 'told of it', { expect: before.revision });
      const deleted = remove(store, '/k');
      commits.failNext('unavailable', 'no');
      commits.release();
      for (const write of [doomed, upon, refused, deleted]) await assert.rejects(write, isStoreError('unavailable'));
      const next = await put(store, '/k', 'next', { expect: before.revision });
      assert.ok(next.ok, 'the pending head kept what failed');
      assert.deepEqual(plain(next.previous), plain(before));
      assert.deepEqual(plain(await store.get('/k')), plain(next.entry));
    },
  },
  {
    name: 'a commit whose outcome is unknown says so, and its revisions are not given to others',
    needs: 'commits',
    async run(under) {
      const { store, commits } = under;
      assert.ok(commits);
      const before = await made(put(store, '/k', 'before'));
      commits.failNext('unavailable', 'maybe');
      const asked: number[] = [];
      const value = { ...draft('unknown'), companion: (revision: number) => void asked.push(revision) };
      const unknown = store.write({ key: '/k', value, expect: 'any' });
      await assert.rejects(unknown, isStoreError('unavailable', 'maybe'));
      const after = await made(put(store, '/l', 'after'));
      assert.ok(after.revision > before.revision + 1, `revision ${after.revision} may have been seen before`);
    },
  },
  {
    name: 'several commits that fail one after the other do no more harm than one',
    needs: 'commits',
    async run(under) {
      const { store, commits } = under;
      assert.ok(commits);
      const before = await made(put(store, '/k', 'before'));
      for (let i = 0; i < 5; i++) {
        commits.failNext('no space', 'no');
        await assert.rejects(put(store, '/k', `lost ${i}`), isStoreError('no space'));
      }
      const after = await put(store, '/k', 'after', { expect: before.revision });
      assert.ok(after.ok);
      assert.deepEqual((await store.list('/')).entries.map(plain), [plain(after.entry)]);
    },
  },
];
