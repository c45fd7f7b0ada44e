// The stores through their one interface, beside what LMDB does when it is written to without one.
// `STORE_BENCH_DIR` names the disk to measure on; the default is the system's folder for temporary files.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import process from 'node:process';
import { open as openLmdb } from 'lmdb';
import { LmdbStore } from '../control-plane/store/drivers/lmdb/lmdb-store.ts';
import { MemoryStore } from '../control-plane/store/drivers/memory/memory-store.ts';
import type { Draft, Store } from '../control-plane/store/store.ts';
import { createNodeHost } from '../libs/base/node/node-host.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { SeededRandom } from '../libs/base/random.ts';
import type { Report } from '../tools/bench/figure.ts';

const WRITES = 30_000;
const CONCURRENCY = 64;
const OBJECTS = 18_600;

const host = createNodeHost();
const clock = new RealClock();
const random = new SeededRandom('bench');

const keyOf = (n: number) => `/registry/configmaps/namespace-${n % 20}/some-config-${String(n).padStart(6, '0')}`;

/** Keys in an order that is not theirs, as names are in a cluster. */
const scattered = (n: number, of: number) => (n * 7919) % of;

function draftOf(bytes: number): Draft {
  const head = Buffer.from('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"');
  return { head, tail: Buffer.from(`"},"data":{"k":"${'v'.repeat(bytes - head.length - 24)}"}}`) };
}

/** Calls `one` `count` times from so many loops at once; calls per second. */
async function rate(count: number, concurrency: number, one: (n: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const started = performance.now();
  const loop = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return (count * 1000) / (performance.now() - started);
}

const creating = (store: Store, draft: Draft) => (n: number) =>
  store.write({ key: keyOf(scattered(n, WRITES)), value: draft, expect: 'absent' });

async function median(times: number, run: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await run());
  return all.sort((a, b) => a - b)[times >> 1] as number;
}

/** The same bytes, the same commits, one table, nothing kept in order: what is left for the store to lose. */
async function rawLmdb(directory: string, bytes: number): Promise<number> {
  const raw = openLmdb<Buffer, string>({
    path: join(directory, 'raw.mdb'),
    overlappingSync: false,
    encoding: 'binary',
    mapSize: 2 ** 33,
  });
  const value = Buffer.alloc(bytes, 'v');
  const perSecond = await rate(WRITES, CONCURRENCY, (n) => raw.put(keyOf(scattered(n, WRITES)), value));
  await raw.close();
  return perSecond;
}

async function withFolder<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(process.env.STORE_BENCH_DIR ?? tmpdir(), 'tutti-bench-'));
  try {
    return await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const openStore = (directory: string) => LmdbStore.open({ host, clock, random, directory });

async function benchWrites(report: Report, bytes: number): Promise<void> {
  const size = `${bytes / 1000} KB`;
  let loop = 0;
  let fileShare = 0;
  const durable = await median(3, () =>
    withFolder(async (directory) => {
      const store = await openStore(directory);
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const perSecond = await rate(WRITES, CONCURRENCY, creating(store, draftOf(bytes)));
      delay.disable();
      loop = delay.percentile(99) / 1e6;
      fileShare = (await store.size()).totalBytes / (WRITES * bytes);
      await store.close();
      return perSecond;
    }),
  );
  const raw = await median(3, () => withFolder((directory) => rawLmdb(directory, bytes)));
  report({
    name: `lmdb: durable creates of ${size} at concurrency ${CONCURRENCY}`,
    value: durable,
    unit: '/s',
    atLeast: 20_000,
  });
  report({ name: `lmdb: of bare LMDB's puts of ${size}`, value: (100 * durable) / raw, unit: '%' });
  report({ name: `lmdb: event-loop delay p99 during them (${size})`, value: loop, unit: 'ms', atMost: 5 });
  report({ name: `lmdb: file size over values of ${size}`, value: fileShare, unit: '×' });
}

async function benchUpdates(report: Report): Promise<void> {
  await withFolder(async (directory) => {
    const store = await LmdbStore.open({ host, clock, random, directory, historyEventsMax: 5_000 });
    const draft = draftOf(1000);
    await rate(5_000, CONCURRENCY, (n) => store.write({ key: keyOf(n), value: draft, expect: 'any' }));
    const perSecond = await rate(WRITES, CONCURRENCY, (n) =>
      store.write({ key: keyOf(scattered(n, 5_000)), value: draft, expect: 'any' }),
    );
    report({ name: 'lmdb: durable updates of 1 KB with history being trimmed', value: perSecond, unit: '/s' });
    const alone = await rate(500, 1, (n) => store.write({ key: keyOf(n), value: draft, expect: 'any' }));
    report({ name: 'lmdb: durable updates of 1 KB, one after the other', value: alone, unit: '/s' });
    await store.close();
  });
}

async function benchOpen(report: Report): Promise<void> {
  await withFolder(async (directory) => {
    const draft = draftOf(1000);
    let store = await openStore(directory);
    await rate(OBJECTS, CONCURRENCY, (n) =>
      store.write({ key: keyOf(scattered(n, OBJECTS)), value: draft, expect: 'absent' }),
    );
    await store.close();
    const openMs = await median(5, async () => {
      const started = performance.now();
      store = await openStore(directory);
      const ms = performance.now() - started;
      await store.close();
      return ms;
    });
    report({ name: `lmdb: open with ${OBJECTS} entries`, value: openMs, unit: 'ms', atMost: 20 });
    store = await openStore(directory);
    const listMs = await median(5, async () => {
      const started = performance.now();
      const { entries } = await store.list('/registry/configmaps/');
      if (entries.length !== OBJECTS) throw new Error(`${entries.length} entries`);
      return performance.now() - started;
    });
    report({ name: `lmdb: list of ${OBJECTS} entries`, value: listMs, unit: 'ms' });
    report({
      name: 'lmdb: get of 1 KB',
      value: await rate(50_000, 1, (n) => store.get(keyOf(n % OBJECTS))),
      unit: '/s',
    });
    await store.close();
  });
}

async function benchMemory(report: Report): Promise<void> {
  const draft = draftOf(1000);
  const store = new MemoryStore({ clock, random });
  const perSecond = await rate(WRITES, CONCURRENCY, creating(store, draft));
  report({ name: 'memory: creates of 1 KB', value: perSecond, unit: '/s' });
  const restoreMs = await median(9, async () => {
    const started = performance.now();
    MemoryStore.fromSnapshot(store.snapshot(), { clock, random });
    return performance.now() - started;
  });
  report({ name: `memory: snapshot and restore of ${WRITES} entries`, value: restoreMs, unit: 'ms', atMost: 5 });
}

export async function bench(report: Report): Promise<void> {
  await benchMemory(report);
  await benchWrites(report, 1000);
  await benchWrites(report, 2000);
  await benchUpdates(report);
  await benchOpen(report);
}
