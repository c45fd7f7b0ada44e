import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { createNodeHost } from '../../../../libs/base/node/node-host.ts';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { type Random, SeededRandom } from '../../../../libs/base/random.ts';
import { put, Recorder, remove, textOf } from '../../conformance/under-test.ts';
import { LmdbStore } from './lmdb-store.ts';

/**
 * The power fails: what the disk holds then is everything up to the last sync, and any part of what was written since.
 * A store that writes runs under strace, which takes down every byte that goes to the database, every sync, and every
 * acknowledgement. From that, disks are made as they could have been found at many moments; each must open, hold
 * everything that had been acknowledged by then, and be the state of one revision, without a gap.
 */
const ROLE = 'TUTTI_POWER_CUT_WRITER';

const open = (directory: string, historyEventsMax?: number) =>
  LmdbStore.open({
    host: createNodeHost(),
    clock: new RealClock(),
    random: new SeededRandom(1),
    directory,
    historyEventsMax,
  });

/** The program that is traced: writers side by side, values of all sizes, deletions, history being trimmed. */
async function writer(directory: string): Promise<void> {
  const store = await open(directory, 60);
  const random = new SeededRandom('writer');
  const one = async (id: number) => {
    const own = random.fork(String(id));
    for (let i = 0; i < 30; i++) {
      const key = `/k/${own.int(12)}`;
      const text = `${id}.${i} `.padEnd(own.next() < 0.1 ? own.int(20_000) : own.int(1500), 'x');
      const result = own.next() < 0.2 ? await remove(store, key) : await put(store, key, text);
      if (result.ok) process.stdout.write(`ack ${result.revision}\n`);
    }
  };
  await Promise.all(Array.from({ length: 6 }, (_, id) => one(id)));
  await store.close();
}

type Step =
  /** `synced`: durable when the call returned. */
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer; readonly synced: boolean }
  | { readonly kind: 'sync' }
  | { readonly kind: 'ack'; readonly revision: number };

/** What strace's lines say, as steps. Calls of one file never overlap: LMDB has one writer. */
function readTrace(text: string): Step[] {
  const steps: Step[] = [];
  const unfinished = new Map<string, string>();
  const position = new Map<string, number>();
  const synced = new Set<string>();
  for (const raw of text.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/s.exec(raw) ?? [];
    let line = rest;
    if (line.endsWith('<unfinished ...>')) {
      unfinished.set(pid, line.slice(0, -' <unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(line);
    if (resumed) line = `${unfinished.get(pid)}${resumed[1]}`;
    const [, call = '', args = ''] = /^(\w+)\((.*)\)\s+= \d+/s.exec(line) ?? [];
    const [, fd = '', hexPath = ''] = /^(\d+)<([^>]*)>/.exec(args) ?? [];
    const path = unhex(`"${hexPath}"`).toString();
    if (call === 'openat' && unhex(args).toString().endsWith('data.mdb') && /O_D?SYNC/.test(args)) {
      synced.add(/= (\d+)</.exec(line)?.[1] ?? '');
    }
    if (call === 'write' && fd === '1') {
      for (const [, revision] of unhex(args)
        .toString()
        .matchAll(/ack (\d+)/g))
        steps.push({ kind: 'ack', revision: Number(revision) });
    }
    if (!path.endsWith('/data.mdb')) continue;
    if (call === 'lseek') position.set(fd, Number(/, (\d+), SEEK_SET/.exec(args)?.[1]));
    if (call === 'fdatasync' || call === 'fsync') steps.push({ kind: 'sync' });
    if (call === 'pwrite64') {
      const at = Number(/(\d+)$/.exec(args)?.[1]);
      steps.push({ kind: 'write', at, bytes: unhex(args), synced: synced.has(fd) });
    }
    if (call === 'writev') {
      const bytes = unhex(args);
      steps.push({ kind: 'write', at: position.get(fd) as number, bytes, synced: synced.has(fd) });
      position.set(fd, (position.get(fd) as number) + bytes.length);
    }
  }
  return steps;
}

/** All quoted bytes of a call, one after the other: `"\x00\x6b"`. */
function unhex(args: string): Buffer {
  const quoted = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, bytes]) => bytes ?? '');
  return Buffer.from(quoted.join('').replaceAll('\\x', ''), 'hex');
}

/** What of the unsynced writes has reached the disk. Disks write blocks; LMDB's own last word fits into one sector. */
const SURVIVES: Readonly<Record<string, (random: Random) => boolean>> = {
  none: () => false,
  all: () => true,
  some: (random) => random.next() < 0.5,
  most: (random) => random.next() < 0.95,
  few: (random) => random.next() < 0.05,
};
const BLOCK_BYTES = 4096;

/** Writes the file as a cut after `count` steps could leave it. */
function cut(
  steps: readonly Step[],
  count: number,
  survives: (random: Random) => boolean,
  random: Random,
  path: string,
): void {
  const past = steps.slice(0, count);
  const lastSync = past.findLastIndex((step) => step.kind === 'sync');
  const file = openSync(path, 'w');
  const writeAt = (at: number, bytes: Buffer) => void writeSync(file, bytes, 0, bytes.length, at);
  past.forEach((step, i) => {
    if (step.kind !== 'write') return;
    // The last call may not have returned yet: then nothing is known about it.
    if (i < lastSync || (step.synced && i < count - 1)) return writeAt(step.at, step.bytes);
    if (step.synced) return survives(random) ? writeAt(step.at, step.bytes) : undefined;
    for (let from = 0; from < step.bytes.length; from += BLOCK_BYTES) {
      if (survives(random)) writeAt(step.at + from, step.bytes.subarray(from, from + BLOCK_BYTES));
    }
  });
  closeSync(file);
}

function canTrace(): string | undefined {
  const tried = spawnSync('strace', ['-f', '-e', 'trace=none', process.execPath, '-e', '0'], { timeout: 20_000 });
  return tried.status === 0 ? undefined : 'needs strace, and the right to trace a process';
}

if (process.env[ROLE] !== undefined) await writer(process.env[ROLE]);
else {
  describe('lmdb store after a power cut', { skip: canTrace() }, () => {
    let folder = '';
    let steps: Step[] = [];
    /** Every event that the writer made, by revision, as it stood at the end. */
    const truth = new Map<number, { key: string; text: string | undefined }>();

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'tutti-power-cut-'));
      const trace = join(folder, 'trace');
      const calls = 'trace=openat,lseek,pwrite64,writev,write,fdatasync,fsync';
      const args = [
        '-f',
        '-y',
        '-xx',
        '-s',
        '10000000',
        '-e',
        calls,
        '-o',
        trace,
        process.execPath,
        import.meta.filename,
      ];
      // The clock of the machine is slower under strace, so nothing here depends on it.
      const run = spawnSync('strace', args, {
        env: { ...process.env, [ROLE]: join(folder, 'traced') },
        timeout: 120_000,
      });
      assert.equal(run.status, 0, run.stderr.toString());
      steps = readTrace(readFileSync(trace, 'latin1'));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('has traced commits of several writes, with their syncs and acknowledgements', async () => {
      const count = (kind: Step['kind']) => steps.filter((step) => step.kind === kind).length;
      assert.ok(count('ack') >= 150, `${count('ack')} acknowledgements`);
      assert.ok(count('sync') >= 30, `${count('sync')} syncs`);
      assert.ok(steps.some((step) => step.kind === 'write' && step.synced));
      // Put together again, the trace is the file.
      const rebuilt = join(folder, 'whole/data.mdb');
      mkdirSync(join(folder, 'whole'));
      cut(steps, steps.length, () => true, new SeededRandom(0), rebuilt);
      const [built, traced] = [rebuilt, join(folder, 'traced/data.mdb')].map((path) => readFileSync(path));
      assert.equal(Buffer.compare(built as Buffer, traced as Buffer), 0);
    });

    for (const [name, survives] of Object.entries(SURVIVES)) {
      it(`loses nothing acknowledged when ${name} of the unsynced blocks survive`, async () => {
        const random = new SeededRandom(name);
        for (let round = 0; round < 60; round++) {
          // The first rounds are about the making of the file.
          const count = 1 + (round < 15 ? round : random.int(steps.length));
          const directory = join(folder, 'cut');
          mkdirSync(directory);
          cut(steps, count, survives, random, join(directory, 'data.mdb'));
          await check(directory, steps.slice(0, count), `cut after ${count} of ${steps.length} steps, ${name}`);
          rmSync(directory, { recursive: true });
        }
      });
    }

    it('notices when something acknowledged is missing', async () => {
      const directory = join(folder, 'lost');
      mkdirSync(directory);
      // A disk whose syncs do nothing: the last commits are not there.
      const lying = steps.slice(0, steps.findLastIndex((step) => step.kind === 'ack') + 1);
      const last = lying.findLastIndex((step) => step.kind === 'write' && step.synced);
      const random = new SeededRandom('lying');
      cut(lying.toSpliced(last, 1), lying.length - 1, () => true, random, join(directory, 'data.mdb'));
      await assert.rejects(check(directory, lying, 'lying'), /was acknowledged/);
    });

    async function check(directory: string, past: readonly Step[], what: string): Promise<void> {
      const store = await open(directory);
      try {
        const acknowledged = Math.max(1, ...past.map((step) => (step.kind === 'ack' ? step.revision : 0)));
        const revision = await store.currentRevision();
        assert.ok(revision >= acknowledged, `${what}: at ${revision}, but ${acknowledged} was acknowledged`);
        const from = await store.compactedRevision();
        const recorder = await Recorder.start(store, '/', from);
        await recorder.until(revision);
        assert.deepEqual(
          recorder.log.map((event) => event.revision),
          Array.from({ length: revision - from }, (_, i) => from + 1 + i),
          what,
        );
        for (const event of recorder.log) {
          const told = { key: event.key, text: textOf(event.entry) };
          assert.deepEqual(
            told,
            truth.get(event.revision) ?? told,
            `${what}: revision ${event.revision} is another one`,
          );
          truth.set(event.revision, told);
        }
        const { entries } = await store.list('/');
        for (const event of recorder.log) {
          const later = recorder.log.some((other) => other.key === event.key && other.revision > event.revision);
          const entry = entries.find((one) => one.key === event.key);
          if (!later) assert.equal(entry?.revision, event.entry?.revision, `${what}: ${event.key}`);
        }
        await put(store, '/k/after', 'goes on');
      } finally {
        await store.close();
      }
    }
  });
}
