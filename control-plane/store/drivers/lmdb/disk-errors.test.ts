import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createNodeHost } from '../../../../libs/base/node/node-host.ts';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { requires } from '../../../../tests/harness/requirements.ts';
import { made, plain, put, Recorder, textOf } from '../../conformance/under-test.ts';
import { isStoreError } from '../../conformance/writes.ts';
import { type Store, StoreError } from '../../store.ts';
import { LmdbStore } from './lmdb-store.ts';

/** Programs of these tests, each a run of this file with the variable set: `<role> <folder>`. */
const ROLE = 'TUTTI_DISK_ERRORS';

const clock = new RealClock();
const open = (directory: string) =>
  LmdbStore.open({ host: createNodeHost(), clock, random: new SeededRandom(1), directory });

const roles: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  /** Has the folder open until it is killed. */
  async holder(folder) {
    const store = await open(folder);
    process.stdout.write(`revision ${(await made(put(store, '/k', 'x'))).revision}\n`);
    await setTimeout(60_000);
  },

  /** Writes without end, and says what is durable. */
  async endless(folder) {
    const store = await open(folder);
    const one = async (id: number) => {
      for (let i = 0; ; i++) {
        const { key, revision } = await made(put(store, `/k/${id}/${i % 50}`, `${id}.${i}`));
        process.stdout.write(`${JSON.stringify({ key, revision, text: `${id}.${i}` })}\n`);
      }
    };
    await Promise.all([0, 1, 2, 3].map(one));
  },

  /** Writes ten keys while calls to the system fail, and says what became of each. */
  async failing(folder) {
    const store = await open(folder);
    const recorder = await Recorder.start(store, '/', 1);
    const outcomes: Outcome[] = [];
    for (let i = 0; i < 10; i++) {
      const key = `/k/${i}`;
      try {
        outcomes.push({ key, revision: (await made(put(store, key, 'x'.repeat(3000)))).revision });
      } catch (error) {
        assert.ok(error instanceof StoreError, String(error));
        outcomes.push({ key, reason: error.reason, outcome: error.outcome });
        await setTimeout(300);
      }
      await agrees(store, outcomes, recorder);
    }
    await store.close();
    process.stdout.write(`${JSON.stringify(outcomes)}\n`);
  },

  /** A file system of 3 MB of its own. */
  async full(folder) {
    const mount = (...args: string[]) => assert.equal(spawnSync('mount', [...args, folder]).status, 0);
    mount('-t', 'tmpfs', '-o', 'size=3m', 'tmpfs');
    let store: Store = await open(folder);
    const start = await store.currentRevision();
    const recorder = await Recorder.start(store, '/', start);
    const written: ReturnType<typeof plain>[] = [];
    const large = 'x'.repeat(60_000);
    let failure: unknown;
    while (failure === undefined && written.length < 1000) {
      try {
        written.push(plain(await made(put(store, `/k/${String(written.length).padStart(4, '0')}`, large))));
      } catch (error) {
        failure = error;
      }
    }
    isStoreError('no space')(failure);
    assert.ok(written.length > 20, `only ${written.length} writes had room`);
    // Many at once, again and again: all refused, none hangs, nothing is seen.
    for (let round = 0; round < 3; round++) {
      const refused = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => put(store, `/l/${i}`, large)));
      for (const one of refused) isStoreError('no space')((one as PromiseRejectedResult).reason);
      await setTimeout(300);
    }
    assert.deepEqual((await store.list('/')).entries.map(plain), written);
    assert.equal(await store.currentRevision(), start + written.length);
    assert.equal(recorder.log.length, written.length);
    assert.deepEqual(plain(await store.get('/k/0003')), written[3]);

    mount('-o', 'remount,size=8m');
    await setTimeout(300);
    written.push(plain(await made(put(store, '/k/later', large))));
    await recorder.until(start + written.length);
    await store.close();
    store = await open(folder);
    assert.deepEqual((await store.list('/')).entries.map(plain), written);
    await store.close();

    // Too full to be opened is said, not crashed upon.
    const filler = openSync(join(folder, 'filler'), 'w');
    assert.throws(() => {
      for (;;) writeSync(filler, Buffer.alloc(100_000));
    }, /ENOSPC/);
    await assert.rejects(open(folder), isStoreError('no space'));
  },
};

interface Outcome {
  readonly key: string;
  readonly revision?: number;
  readonly reason?: string;
  readonly outcome?: string;
}

/** Reads and the watcher show just what was acknowledged. */
async function agrees(store: Store, outcomes: readonly Outcome[], recorder?: Recorder): Promise<void> {
  const done = outcomes.filter((one) => one.revision !== undefined).map(({ key, revision }) => ({ key, revision }));
  const { entries } = await store.list('/');
  assert.deepEqual(
    entries.map(({ key, revision }) => ({ key, revision })),
    done,
  );
  if (recorder) {
    assert.deepEqual(
      recorder.log.map(({ key, revision }) => ({ key, revision })),
      done,
    );
  }
}

const traced = () =>
  spawnSync('strace', ['-f', '-e', 'trace=none', process.execPath, '-e', '0'], { timeout: 20_000 }).status === 0
    ? {}
    : { skip: 'needs strace, and the right to trace a process' };

const asked = process.env[ROLE]?.split(' ');
if (asked) await roles[asked[0] as string]?.(asked[1] as string);
else {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tutti-disk-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const environment = (role: string, directory: string) => ({ ...process.env, [ROLE]: `${role} ${directory}` });

  describe('lmdb store whose process is killed', () => {
    it('has everything that was acknowledged, and opens although the lock is still there', async () => {
      const directory = join(folder, 'killed');
      const acknowledged = new Map<string, { revision: number; text: string }>();
      for (let round = 0; round < 3; round++) {
        const child = spawn(process.execPath, [import.meta.filename], {
          env: environment('endless', directory),
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let count = 0;
        for await (const line of createInterface(child.stdout)) {
          if (!line.endsWith('}')) continue;
          const { key, revision, text } = JSON.parse(line);
          if (revision > (acknowledged.get(key)?.revision ?? 0)) acknowledged.set(key, { revision, text });
          if (++count === 200 + round * 77) child.kill('SIGKILL');
        }
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        const store = await open(directory);
        for (const [key, { revision, text }] of acknowledged) {
          const entry = await store.get(key);
          assert.ok(entry && entry.revision >= revision, `${key} is at ${entry?.revision}, not at ${revision}`);
          if (entry.revision === revision) assert.equal(textOf(entry), text);
        }
        await store.close();
      }
    });
  });

  describe('lmdb store in two containers', requires('root'), () => {
    it('is held by one of them at a time, although neither sees the other', async () => {
      const directory = join(folder, 'shared');
      for (let round = 0; round < 2; round++) {
        const inside = ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, import.meta.filename];
        const child = spawn('unshare', inside, {
          env: environment('holder', directory),
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const [said] = await once(child.stdout, 'data');
        assert.equal(String(said), `revision ${2 + round}\n`);
        await assert.rejects(open(directory), (error: unknown) => {
          assert.equal((error as Error).message, `${directory}/data.mdb is in use by another process`);
          return isStoreError('unavailable')(error);
        });
        const other = spawnSync('unshare', inside, { env: environment('holder', directory), encoding: 'utf8' });
        assert.notEqual(other.status, 0);
        assert.match(other.stderr, /in use by (another process|process 1)/);
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    });
  });

  describe('lmdb store on a disk that fails', traced(), () => {
    const injections: [string, string, number[]][] = [
      ['a sync fails', 'fdatasync:error=EIO', [8, 11]],
      ['a page cannot be written', 'writev:error=EIO', [8, 11]],
      ['there is no room for a page', 'writev:error=ENOSPC', [8, 11]],
      // Of pages, and of the last word of a commit.
      ['a write in place fails', 'pwrite64:error=EIO', [22, 23, 24, 25, 26]],
    ];
    const seen = new Set<string>();
    after(() => {
      assert.deepEqual(
        [...seen].sort(),
        ['no space, no', 'unavailable, maybe', 'unavailable, no'],
        'not all was tried',
      );
    });
    for (const [name, injection, calls] of injections) {
      for (const call of calls) {
        it(`says what was not done, and goes on, when ${name} (call ${call})`, async () => {
          const directory = join(folder, `${injection.replaceAll(/\W/g, '-')}-${call}`);
          const args = ['-f', '-o', '/dev/null', '-P', join(directory, 'data.mdb')];
          const inject = ['-e', 'trace=fdatasync,writev,pwrite64', '-e', `inject=${injection}:when=${call}`];
          const run = spawnSync('strace', [...args, ...inject, process.execPath, import.meta.filename], {
            // Calls are counted by thread: with one thread for the disk, the same call fails each time.
            env: { ...environment('failing', directory), UV_THREADPOOL_SIZE: '1' },
            encoding: 'utf8',
            timeout: 60_000,
          });
          assert.equal(run.status, 0, run.stderr);
          const outcomes = JSON.parse(run.stdout.trim().split('\n').at(-1) as string) as Outcome[];
          const failed = outcomes.filter((one) => one.revision === undefined);
          assert.ok(failed.length <= 1, JSON.stringify(failed));
          for (const one of failed) {
            assert.match(`${one.reason} ${one.outcome}`, /^(no space no|unavailable no|unavailable maybe)$/);
            assert.equal(one.reason === 'no space', injection.includes('ENOSPC'));
          }
          for (const one of failed) seen.add(`${one.reason}, ${one.outcome}`);
          const store = await open(directory);
          await agrees(store, outcomes);
          await store.close();
        });
      }
    }
  });

  describe('lmdb store on a full disk', requires('root'), () => {
    it('refuses writes, goes on reading, and recovers when there is space again', () => {
      const directory = mkdtempSync(join(folder, 'full-'));
      const run = spawnSync('unshare', ['--mount', process.execPath, import.meta.filename], {
        env: environment('full', directory),
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.equal(run.status, 0, run.stderr);
    });
  });
}
