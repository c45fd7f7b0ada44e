import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodeHost } from '../../../../libs/base/node/node-host.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { storeConformance } from '../../conformance/conformance.ts';
import { SkippingClock } from '../../conformance/under-test.ts';
import { FaultyGate } from '../faulty/faulty-gate.ts';
import { LmdbStore } from './lmdb-store.ts';

const host = createNodeHost();

storeConformance('lmdb', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tutti-lmdb-'));
  const clock = new SkippingClock();
  const random = new SeededRandom(directory);
  const gate = new FaultyGate({ clock, random });
  const open = () => LmdbStore.open({ host, clock, random, directory, gate });
  let store = await open();
  return {
    store,
    commits: gate,
    pass: (ms) => clock.skip(ms),
    reopen: async () => {
      await store.close();
      store = await open();
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});
