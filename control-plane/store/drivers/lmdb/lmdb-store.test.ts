import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createNodeHost } from '../../../../libs/base/node/node-host.ts';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { storeConformance } from '../../conformance/conformance.ts';
import { isCompacted } from '../../conformance/lists.ts';
import { made, plain, plainEvent, put, Recorder, SkippingClock, textOf, turn } from '../../conformance/under-test.ts';
import { isStoreError } from '../../conformance/writes.ts';
import { StoreError } from '../../store.ts';
import { FaultyGate } from '../faulty/faulty-gate.ts';
import { Database } from './database.ts';
import { LmdbStore, type LmdbStoreOptions } from './lmdb-store.ts';

const host = createNodeHost();
const clock = new RealClock();

const root = mkdtempSync(join(tmpdir(), 'tutti-lmdb-'));
after(() => rmSync(root, { recursive: true }));

let folders = 0;
const newFolder = () => join(root, String(folders++));
const open = (directory: string, options: Partial<LmdbStoreOptions> = {}) =>
  LmdbStore.open({ host, clock, random: new SeededRandom(directory), directory, ...options });

storeConformance('lmdb', async () => {
  const directory = newFolder();
  const skipping = new SkippingClock();
  const gate = new FaultyGate({ clock: skipping, random: new SeededRandom('gate') });
  let store = await open(directory, { clock: skipping, gate });
  return {
    store,
    commits: gate,
    disturb: (chance) => gate.failNext('unavailable', chance.next() < 0.3 ? 'maybe' : 'no'),
    pass: (ms) => skipping.skip(ms),
    reopen: async () => {
      await store.close();
      store = await open(directory, { clock: skipping, gate });
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});

describe('lmdb store', () => {
  it('begins at revision 1, readable by its owner alone', async () => {
    const directory = newFolder();
    const store = await open(directory);
    assert.equal(await store.currentRevision(), 1);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, 'data.mdb')).mode & 0o777, 0o600);
    await store.close();
  });

  it('gives each cluster an id of its own', async () => {
    const stores = await Promise.all([open(newFolder()), open(newFolder())]);
    assert.notEqual(stores[0]?.clusterId, stores[1]?.clusterId);
    for (const store of stores) await store.close();
  });

  it('opens within 20 ms with 18,600 entries', async () => {
    const directory = newFolder();
    let store = await open(directory);
    await Promise.all(
      Array.from({ length: 18_600 }, (_, i) => put(store, `/k/${(i * 7919) % 18_600}`, 'x'.repeat(1000))),
    );
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      await store.close();
      const started = performance.now();
      store = await open(directory);
      times.push(performance.now() - started);
    }
    assert.ok(Math.min(...times) <= 20, `${times.map((ms) => ms.toFixed(1))} ms`);
    const { entries } = await store.list('/k/', { limit: 18_000 });
    assert.equal(entries.length, 18_000);
    await store.close();
  });

  it('takes less than twice the size of the values, for values of every size', async () => {
    for (const size of [500, 1100, 1500, 2100, 3000, 3900]) {
      const directory = newFolder();
      const store = await open(directory);
      const count = Math.floor(3_000_000 / size);
      await Promise.all(Array.from({ length: count }, (_, i) => put(store, `/k/${i}`, 'x'.repeat(size))));
      const { usedBytes } = await store.size();
      assert.ok(usedBytes < 1.75 * size * count, `${(usedBytes / size / count).toFixed(2)} times ${size} bytes`);
      await store.close();
    }
  });

  it('lets others run during a long list, and lists one state all the same', async () => {
    const store = await open(newFolder());
    await Promise.all(Array.from({ length: 3000 }, (_, i) => put(store, `/k/${String(i).padStart(4, '0')}`, 'first')));
    let turns = 0;
    let listing = true;
    const others = (async () => {
      for (; listing; turns++) await turn();
    })();
    const list = store.list('/k/');
    const writes = Promise.all(Array.from({ length: 500 }, (_, i) => put(store, `/k/${2500 + i}`, 'second')));
    const { entries } = await list;
    listing = false;
    await Promise.all([others, writes]);
    assert.ok(turns >= 3, `${turns} turns`);
    assert.deepEqual(new Set(entries.map(textOf)), new Set(['first']));
    await store.close();
  });

  it('ends lists that are under way when it is closed', async () => {
    const store = await open(newFolder());
    await Promise.all(Array.from({ length: 3000 }, (_, i) => put(store, `/k/${i}`, 'x')));
    const lists = [store.list('/k/'), store.list('/k/', { revision: 1500 })];
    const ended = Promise.allSettled(lists);
    await store.close();
    for (const one of await ended) {
      if (one.status === 'rejected') assert.ok(one.reason instanceof StoreError, String(one.reason));
    }
  });
});

describe('lmdb history', () => {
  it('stays within its bound of events, and so does the file', async () => {
    const directory = newFolder();
    let store = await open(directory, { historyEventsMax: 100 });
    const update = async (rounds: number) => {
      for (let i = 0; i < rounds; i++) {
        await Promise.all(Array.from({ length: 20 }, (_, k) => put(store, `/k/${k}`, `${i} `.padEnd(2000, 'x'))));
      }
    };
    await update(20);
    const { usedBytes } = await store.size();
    await update(100);
    const current = await store.currentRevision();
    const compacted = await store.compactedRevision();
    assert.ok(current - compacted <= 100 + 20, `history of ${current - compacted} events`);
    assert.ok((await store.size()).usedBytes < 1.5 * usedBytes, 'what history forgot is still there');
    await store.close();

    store = await open(directory, { historyEventsMax: 100 });
    assert.equal(await store.compactedRevision(), compacted);
    const refused = store.watch('/', compacted - 1, new Recorder('/', compacted - 1));
    await assert.rejects(refused, isCompacted(compacted - 1, compacted));
    const recorder = await Recorder.start(store, '/', compacted);
    await recorder.until(current);
    assert.equal(recorder.log.length, current - compacted);
    for (const event of recorder.log) assert.ok(event.previous, 'an event without what it replaced');
    assert.equal((await store.list('/k/')).entries.length, 20);
    await store.close();
  });

  it('stays within its bound of bytes, also over a restart', async () => {
    const directory = newFolder();
    for (let leg = 0; leg < 3; leg++) {
      const store = await open(directory, { historyBytesMax: 100_000 });
      for (let i = 0; i < 100; i++) await put(store, '/k', 'x'.repeat(10_000));
      const held = (await store.currentRevision()) - (await store.compactedRevision());
      assert.ok(held >= 8 && held <= 12, `${held} events`);
      await store.close();
    }
  });

  it('is smaller than before when the store is opened with a tighter bound', async () => {
    const directory = newFolder();
    let store = await open(directory);
    for (let i = 0; i < 300; i++) await put(store, '/k', String(i));
    await store.close();
    store = await open(directory, { historyEventsMax: 10 });
    for (let i = 0; i < 30; i++) await put(store, '/k', String(i));
    assert.ok((await store.currentRevision()) - (await store.compactedRevision()) <= 12);
    await store.close();
  });

  it('can be compacted in large steps while others write and list', async () => {
    const store = await open(newFolder());
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 400 }, (_, k) => put(store, `/k/${k}`, String(i))));
    }
    const target = await store.currentRevision();
    const compacting = store.compact(target);
    const writes = Array.from({ length: 50 }, (_, k) => put(store, `/l/${k}`, 'x'));
    const list = store.list('/k/');
    await compacting;
    assert.equal(await store.compactedRevision(), target);
    await Promise.all(writes);
    assert.equal((await list).entries.length, 400);
    const { entries } = await store.list('/');
    assert.equal(entries.length, 450);
    await store.close();
  });
});

describe('lmdb data folder', () => {
  it('belongs to one store at a time', async () => {
    const directory = newFolder();
    const store = await open(directory);
    await assert.rejects(open(directory), (error: unknown) => {
      assert.equal((error as Error).message, `the data in ${directory} is in use by process ${process.pid}`);
      return isStoreError('unavailable')(error);
    });
    await put(store, '/k', 'x');
    await store.close();
    const again = await open(directory);
    assert.equal(textOf(await again.get('/k')), 'x');
    // Closed twice, it does not give away what is another's by now.
    await store.close();
    await assert.rejects(open(directory), isStoreError('unavailable'));
    await again.close();
  });

  const stale: [string, (mine: string) => string][] = [
    ['a process that is gone', (mine) => mine.replace(/pid=\d+/, 'pid=4194000')],
    ['an earlier boot', (mine) => mine.replace(/boot=\S+/, 'boot=another')],
    ['another process with the same id', (mine) => mine.replace(/started=\d+/, 'started=1')],
    ['nobody knows whom', () => 'nonsense'],
  ];
  for (const [whose, link] of stale) {
    it(`is opened although the lock of ${whose} is there`, async () => {
      const directory = newFolder();
      const store = await open(directory);
      const mine = readlinkSync(join(directory, 'lock'));
      await store.close();
      symlinkSync(link(mine), join(directory, 'lock'));
      const again = await open(directory);
      assert.equal(readlinkSync(join(directory, 'lock')), mine);
      await again.close();
    });
  }

  it('of a newer version is refused in one sentence, and left as it is', async () => {
    const directory = newFolder();
    await (await open(directory)).close();
    const database = await Database.open({ host, clock, path: join(directory, 'data.mdb') });
    await database.commit(() => void database.meta.put('format', Buffer.from('{"format":7,"clusterId":"x"}')));
    await database.close();
    const before = readFileSync(join(directory, 'data.mdb'));
    await assert.rejects(open(directory), (error: unknown) => {
      const said = `the data in ${directory} were written by a newer version: they have format 7, this version knows 1`;
      assert.equal((error as Error).message, said);
      return isStoreError('wrong format')(error);
    });
    assert.equal(Buffer.compare(readFileSync(join(directory, 'data.mdb')), before), 0);
  });

  const broken: [string, (path: string) => void][] = [
    ['holds text', (path) => writeFileSync(path, 'something else '.repeat(5000))],
    ['is a few bytes', (path) => writeFileSync(path, 'x')],
    ['is a folder', (path) => mkdirSync(path)],
    ['was cut off', (path) => truncateSync(path, 40_000)],
    ['has lost its first page', (path) => writeFileSync(path, readFileSync(path).fill(7, 0, 8192))],
    ['has lost its second page', (path) => writeFileSync(path, readFileSync(path).fill(7, 8192, 16384))],
  ];
  for (const [what, breaks] of broken) {
    it(`whose file ${what} is refused`, async () => {
      const directory = newFolder();
      const store = await open(directory);
      for (let i = 0; i < 50; i++) await put(store, `/k/${i}`, 'x'.repeat(2000));
      await store.close();
      if (what.startsWith('is')) rmSync(join(directory, 'data.mdb'));
      breaks(join(directory, 'data.mdb'));
      await assert.rejects(open(directory), isStoreError('corrupt'));
    });
  }

  for (const bytes of [0, 4096, 65_536]) {
    it(`whose file is ${bytes} zeros, as a crash at its making leaves it, is begun anew`, async () => {
      const directory = newFolder();
      mkdirSync(directory);
      writeFileSync(join(directory, 'data.mdb'), Buffer.alloc(bytes));
      const store = await open(directory);
      await made(put(store, '/k', 'x'));
      await store.close();
    });
  }
});

describe('lmdb data of earlier versions', () => {
  // One file per format that was ever released: `fixtures/format-<n>.mdb.gz`, each made by this same program.
  for (const format of [1]) {
    it(`of format ${format} are read`, async () => {
      const directory = newFolder();
      mkdirSync(directory);
      const fixture = readFileSync(join(import.meta.dirname, `fixtures/format-${format}.mdb.gz`));
      writeFileSync(join(directory, 'data.mdb'), gunzipSync(fixture));
      const store = await open(directory);
      assert.equal(store.clusterId, '00000000-0000-4000-8000-000000000001');
      assert.deepEqual((await store.list('/')).entries.map(plain), [
        { key: '/registry/a', createRevision: 2, revision: 4, text: 'second', versionIn: 4 },
        { key: '/registry/c', createRevision: 6, revision: 6, text: 'large '.repeat(2000), versionIn: 6 },
        { key: '/registry/中', createRevision: 7, revision: 7, text: 'not ASCII', versionIn: 7 },
      ]);
      assert.equal(await store.compactedRevision(), 2);
      const recorder = await Recorder.start(store, '/', 2);
      await recorder.until(7);
      const told = recorder.log
        .map(plainEvent)
        .map(({ type, key, revision, previous }) => [type, key, revision, previous?.text]);
      assert.deepEqual(told, [
        ['put', '/registry/b', 3, undefined],
        ['put', '/registry/a', 4, 'first'],
        ['delete', '/registry/b', 5, 'gone'],
        ['put', '/registry/c', 6, undefined],
        ['put', '/registry/中', 7, undefined],
      ]);
      const entry = await made(put(store, '/registry/a', 'third', { expect: 4 }));
      assert.equal(entry.revision, 8);
      await store.close();
    });
  }
});
