// History that is kept on purpose: within a size, by time, across restarts.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNodeHost } from '../../../../libs/base/node/node-host.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { isCompacted } from '../../conformance/lists.ts';
import { put, SkippingClock, textOf } from '../../conformance/under-test.ts';
import { LmdbStore, type LmdbStoreOptions } from './lmdb-store.ts';

const root = mkdtempSync(join(tmpdir(), 'tutti-kept-history-'));
after(() => rmSync(root, { recursive: true }));
const host = createNodeHost();
let folders = 0;
const newFolder = () => join(root, String(folders++));

function opener() {
  const clock = new SkippingClock();
  const directory = newFolder();
  const open = (options: Partial<LmdbStoreOptions> = {}) =>
    LmdbStore.open({ host, clock, random: new SeededRandom(directory), directory, keepTimes: true, ...options });
  return { clock, open };
}

const HOUR = 3_600_000;

test('what was there at a time is found, also after a restart and when the clock was set back', async () => {
  const { clock, open } = opener();
  let store = await open();
  const times: number[] = [];
  for (let at = 0; at < 50; at++) {
    await put(store, '/a', `value ${at}`);
    times.push(clock.now());
    clock.skip(HOUR);
    if (at === 20) {
      await store.close();
      store = await open();
    }
  }
  const there = async (timeMs: number) => {
    const revision = store.history.revisionAt(timeMs);
    assert.ok(revision !== undefined);
    return (await store.list('/a', { revision })).entries.map(textOf);
  };
  for (const [at, timeMs] of times.entries()) {
    assert.match(String(await there(timeMs)), new RegExp(`value ${at}\\b`), 'at once');
    assert.match(String(await there(timeMs + HOUR / 2)), new RegExp(`value ${at}\\b`), 'half an hour later');
  }
  assert.equal(store.history.revisionAt((times[0] as number) - HOUR), undefined, 'before the first commit');
  const { firstMs, lastMs, lastRevision } = store.history.bounds();
  assert.ok(firstMs !== undefined && Math.abs(firstMs - (times[0] as number)) < HOUR / 2);
  assert.equal(store.history.timeOf(lastRevision), lastMs);
  clock.skip(-24 * HOUR);
  await put(store, '/a', 'set back');
  assert.equal(store.history.timeOf(lastRevision + 1), lastMs, 'time does not go back');
  await store.close();
});

test('of what was written while times were not kept nothing is told', async () => {
  const { clock, open } = opener();
  const passes = async (keepTimes: boolean, names: readonly string[]) => {
    const store = await open({ keepTimes });
    const known: (number | undefined)[] = [];
    for (const name of names) {
      await put(store, '/a', name);
      known.push(store.history.revisionAt(clock.now()));
      clock.skip(HOUR);
    }
    await store.close();
    return known;
  };
  const startMs = clock.now();
  assert.deepEqual(await passes(true, ['1', '2']), [2, 3]);
  assert.deepEqual(await passes(false, ['3', '4']), [undefined, undefined]);
  assert.deepEqual(await passes(true, ['5', '6']), [6, 7]);
  const store = await open();
  assert.deepEqual(
    [0.5, 1.5, 3.5, 4.5, 5.5].map((hours) => store.history.revisionAt(startMs + hours * HOUR)),
    [2, undefined, undefined, 6, 7],
  );
  assert.deepEqual(
    [2, 3, 4, 5, 6].map((revision) => store.history.timeOf(revision) !== undefined),
    [true, true, false, false, true],
  );
  await store.close();
});

test('it stays within its size, gives up the oldest first, and its times with them', async () => {
  const { clock, open } = opener();
  const historyBytesMax = 60_000;
  const limits = { historyBytesMax, historyEventsMax: Number.POSITIVE_INFINITY };
  let store = await open(limits);
  const startMs = clock.now();
  const used: number[] = [];
  for (let at = 0; at < 400; at++) {
    await put(store, `/k/${at % 7}`, `${at} `.padEnd(1_000, 'x'));
    clock.skip(1_000);
    if (at % 50 === 49) used.push((await store.size()).usedBytes);
    if (at === 240) {
      await store.close();
      store = await open(limits);
    }
  }
  const bounds = store.history.bounds();
  assert.ok(bounds.usedBytes <= historyBytesMax + 10_000, `${bounds.usedBytes} bytes`);
  assert.ok(bounds.lastRevision - bounds.firstRevision > 40, 'it keeps what fits');
  assert.ok(Math.max(...used) < 5 * historyBytesMax, `${used} bytes on disk`);
  assert.ok((bounds.firstMs as number) > startMs + 300_000, 'the oldest went');
  assert.equal(store.history.revisionAt(startMs + 200_000), undefined);
  await assert.rejects(
    store.list('/k/', { revision: bounds.firstRevision - 1 }),
    isCompacted(bounds.firstRevision - 1, bounds.firstRevision),
  );
  assert.equal((await store.list('/k/', { revision: bounds.firstRevision })).entries.length, 7);
  await store.close();
});
