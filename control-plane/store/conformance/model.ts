import assert from 'node:assert/strict';
import { type Random, SeededRandom } from '../../../libs/base/random.ts';
import { type Entry, type Store, StoreError, type StoreEvent, type Write, type WriteResult } from '../store.ts';
import type { Case } from './cases.ts';
import { draft, plain, plainEvent, Recorder, type StoreUnderTest, textOf, turn } from './under-test.ts';

/**
 * A seeded random run against a simple model. Writers, readers and watchers go on side by side; every answer is written
 * down. Afterwards the events that a watcher of everything was told are taken as the one true history, and every answer
 * is held against it:
 *
 * - each write that was answered with success is in it, once, with just that outcome, and its precondition held there;
 * - each refusal names an entry that the key really had, and that refuses;
 * - a write that failed with `no` is not in it; one with `maybe` at most once;
 * - an answer is never older than what its asker had been told before;
 * - each list is the state at its revision; each watcher was told just its part.
 */
export interface Plan {
  readonly seed: string;
  readonly writers: number;
  readonly writesPerWriter: number;
  readonly keys: number;
  readonly failures: boolean;
  readonly restarts: number;
}

const PLANS: readonly (Plan & { readonly needs?: Case['needs'] })[] = [
  { seed: 'few keys', writers: 8, writesPerWriter: 150, keys: 3, failures: false, restarts: 0 },
  { seed: 'many keys', writers: 16, writesPerWriter: 100, keys: 200, failures: false, restarts: 0 },
  { seed: 'failing', writers: 10, writesPerWriter: 100, keys: 12, failures: true, restarts: 0, needs: 'disturb' },
  { seed: 'restarting', writers: 6, writesPerWriter: 80, keys: 10, failures: false, restarts: 3, needs: 'reopen' },
];

export const modelCases: readonly Case[] = PLANS.map((plan) => ({
  name: `a random run agrees with the model (${plan.seed})`,
  needs: plan.needs,
  run: (under) => runPlan(under, plan),
}));

interface Answer {
  readonly write: Write;
  readonly text: string | undefined;
  readonly result: WriteResult | StoreError;
  /** The store's revision when the writer asked. */
  readonly askedAt: number;
}

/** Runs the plan on a store that nobody else writes to below `/m/`. */
export async function runPlan(under: StoreUnderTest, plan: Plan): Promise<void> {
  const random = new SeededRandom(plan.seed);
  let store = under.store;
  const start = await calm(() => store.currentRevision());
  const run: Run = { start, answers: [], lists: [], truth: [] };
  for (let leg = 0; leg <= plan.restarts; leg++) {
    const from = await calm(() => store.currentRevision());
    const all = await Recorder.start(store, '/m/', from);
    await runLeg(under, store, plan, random.fork(`leg ${leg}`), run);
    await all.until(await calm(() => store.currentRevision()), 30_000);
    run.truth.push(...all.log);
    if (leg < plan.restarts) {
      assert.ok(under.reopen);
      store = await under.reopen();
    }
  }
  // The whole of history again, over all restarts.
  const again = await Recorder.start(store, '/m/', start);
  await again.until(await calm(() => store.currentRevision()));
  assert.deepEqual(again.log.map(plainEvent), run.truth.map(plainEvent));
  check(run);
}

/** A read is repeated until the store can answer. */
async function calm<T>(read: () => Promise<T> | T): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreError) || attempt >= 20) throw error;
    }
  }
}

interface Run {
  readonly start: number;
  readonly answers: Answer[];
  readonly lists: { readonly revision: number; readonly entries: readonly Entry[]; readonly askedAt: number }[];
  readonly truth: StoreEvent[];
}

async function runLeg(under: StoreUnderTest, store: Store, plan: Plan, random: Random, run: Run): Promise<void> {
  const watchers: { recorder: Recorder; after: number }[] = [];
  const from = await calm(() => store.currentRevision());
  const writer = async (id: number) => {
    const own = random.fork(`writer ${id}`);
    for (let i = 0; i < plan.writesPerWriter; i++) {
      const key = `/m/${own.int(2)}/${own.int(plan.keys)}`;
      const known = await calm(() => store.get(key));
      // Sometimes others get in between what this writer saw and what it writes.
      for (let pause = own.int(4); pause > 0; pause--) await turn();
      const text = own.next() < 0.25 ? undefined : `${plan.seed} ${run.answers.length} ${id}.${i}`;
      const kind = own.next();
      const expect = kind < 0.2 ? 'any' : kind < 0.3 ? 'absent' : (known?.revision ?? 'absent');
      const write: Write = { key, value: text === undefined ? undefined : draft(text), expect };
      const askedAt = await calm(() => store.currentRevision());
      try {
        run.answers.push({ write, text, askedAt, result: await store.write(write) });
      } catch (error) {
        assert.ok(error instanceof StoreError, String(error));
        run.answers.push({ write, text, askedAt, result: error });
      }
    }
  };
  let writing = true;
  const reader = async () => {
    const own = random.fork('reader');
    while (writing) {
      const askedAt = await calm(() => store.currentRevision());
      const back = own.next() < 0.3 ? own.int(Math.max(1, Math.min(50, askedAt - from))) : 0;
      const options = back > 0 ? { revision: askedAt - back } : {};
      const { revision, entries } = await calm(() => store.list('/m/', options));
      if (back > 0) assert.equal(revision, askedAt - back);
      if (run.lists.length < 400) run.lists.push({ revision, entries, askedAt: askedAt - back });
      for (let pause = own.int(6); pause >= 0; pause--) await turn();
    }
  };
  const watcher = async () => {
    const own = random.fork('watcher');
    while (writing) {
      const current = await calm(() => store.currentRevision());
      const after = from + own.int(current - from + 1);
      const prefix = `/m/${own.int(2)}/`;
      if (watchers.length < 50) {
        watchers.push({ after, recorder: await calm(() => Recorder.start(store, prefix, after)) });
      }
      for (let pause = own.int(20); pause >= 0; pause--) await turn();
    }
  };
  const saboteur = async () => {
    const own = random.fork('saboteur');
    while (writing && plan.failures) {
      for (let pause = own.int(15); pause >= 0; pause--) await turn();
      await under.disturb?.(own);
    }
  };
  const side = [reader(), watcher(), saboteur()];
  await Promise.all(Array.from({ length: plan.writers }, (_, id) => writer(id)));
  writing = false;
  await Promise.all(side);
  const end = await calm(() => store.currentRevision());
  const all = await Recorder.start(store, '/m/', from);
  await all.until(end);
  for (const { recorder, after } of watchers) {
    await recorder.until(end);
    const expected = all.log.filter((event) => event.revision > after && event.key.startsWith(recorder.prefix));
    assert.deepEqual(recorder.log.map(plainEvent), expected.map(plainEvent), `a watcher after ${after}`);
  }
}

/** Holds every answer of the run against the history that was told. */
function check({ answers, lists, truth }: Run): void {
  const byRevision = new Map<number, StoreEvent>();
  const lives = new Map<string, { revision: number; entry: Entry | undefined }[]>();
  for (const event of truth) {
    const life = lives.get(event.key) ?? [{ revision: 0, entry: undefined }];
    assert.deepEqual(plain(event.previous), plain(life.at(-1)?.entry), `what was before revision ${event.revision}`);
    const createRevision = event.previous?.createRevision ?? event.revision;
    if (event.entry) assert.equal(event.entry.createRevision, createRevision);
    else assert.ok(event.previous, 'a deletion of nothing');
    life.push({ revision: event.revision, entry: event.entry });
    lives.set(event.key, life);
    byRevision.set(event.revision, event);
  }
  const done = new Set<number>();
  for (const answer of answers) checkAnswer(answer, byRevision, lives, done);
  const puts = truth.filter((event) => event.entry && !done.has(event.revision));
  const maybe = new Set(
    answers.filter((a) => a.result instanceof StoreError && a.result.outcome === 'maybe').map((a) => a.text),
  );
  for (const event of puts) assert.ok(maybe.delete(textOf(event.entry)), `nobody wrote revision ${event.revision}`);
  for (const { revision, entries, askedAt } of lists) {
    assert.ok(revision >= askedAt, 'a list older than what was known');
    const state = [...lives.values()]
      .map((life) => life.findLast((step) => step.revision <= revision)?.entry)
      .filter((entry) => entry !== undefined)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    assert.deepEqual(entries.map(plain), state.map(plain), `the list at ${revision}`);
  }
}

function checkAnswer(
  { write, text, result, askedAt }: Answer,
  byRevision: ReadonlyMap<number, StoreEvent>,
  lives: ReadonlyMap<string, readonly { revision: number; entry: Entry | undefined }[]>,
  done: Set<number>,
): void {
  if (result instanceof StoreError) return;
  const life = lives.get(write.key) ?? [{ revision: 0, entry: undefined }];
  if (!result.ok) {
    const met = life.findIndex(
      (step) => step.entry?.revision === result.actual?.revision && same(step.entry, result.actual),
    );
    assert.ok(met >= 0, `a refusal by an entry that never was: ${JSON.stringify(plain(result.actual))}`);
    // It must have been there at some time after the question.
    const until = life.findLast((step) => same(step.entry, result.actual));
    const next = life[life.indexOf(until as (typeof life)[number]) + 1];
    assert.ok(next === undefined || next.revision > askedAt, 'a refusal by what had been replaced before');
    const { expect } = write;
    assert.ok(
      expect !== 'any' && (expect === 'absent' ? result.actual : result.actual?.revision !== expect),
      'no reason to refuse',
    );
    return;
  }
  const event = byRevision.get(result.revision);
  if (text === undefined && result.previous === undefined) {
    assert.ok(result.revision >= askedAt, 'an answer older than what was known');
    return;
  }
  assert.ok(event && event.key === write.key && !done.has(result.revision), `no event for revision ${result.revision}`);
  done.add(result.revision);
  assert.ok(result.revision > askedAt);
  assert.equal(textOf(event.entry), text);
  assert.deepEqual(plain(result.entry), plain(event.entry));
  assert.deepEqual(plain(result.previous), plain(event.previous));
  if (write.expect === 'absent') assert.equal(event.previous, undefined);
  else if (write.expect !== 'any') assert.equal(event.previous?.revision, write.expect);
}

const same = (a: Entry | undefined, b: Entry | undefined) => a?.revision === b?.revision;
