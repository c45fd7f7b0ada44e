import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { type Etcd, startEtcd } from '../../../../tests/harness/etcd.ts';
import { requires } from '../../../../tests/harness/requirements.ts';
import { runPlan } from '../../conformance/model.ts';
import { made, put, Recorder } from '../../conformance/under-test.ts';
import { StoreError } from '../../store.ts';
import { dialEtcd } from './dial/dial.ts';
import { EtcdStore, type EtcdStoreOptions } from './etcd-store.ts';

const clock = new RealClock();
const needs = requires('etcd');

let prefixes = 0;

const open = (etcd: Etcd, options: Partial<EtcdStoreOptions> = {}) => {
  const keyPrefix = `/cluster-${prefixes++}`;
  const channels = dialEtcd(etcd.endpoints, { clock });
  return EtcdStore.open({ channels, clock, random: new SeededRandom(keyPrefix), keyPrefix, ...options });
};

describe('etcd store on three members', needs, () => {
  let etcd: Etcd;
  before(async () => {
    if (needs.skip !== undefined) return;
    etcd = await startEtcd({ members: 3, fsync: false, flags: ['--heartbeat-interval=20', '--election-timeout=200'] });
  });
  after(() => etcd?.dispose());
  const quick = { requestTimeoutMs: 8_000, silenceMs: 500 };

  /** Writes on while `disturb` goes on, and holds what a watch told against what was answered. */
  async function writeThrough(store: EtcdStore, disturb: () => Promise<void>): Promise<void> {
    const start = await store.currentRevision();
    const recorder = await Recorder.start(store, '/k/', start);
    let writing = true;
    const answered: { key: string; revision: number }[] = [];
    const writers = Array.from({ length: 4 }, async (_, id) => {
      for (let i = 0; writing; i++) {
        try {
          const { key, revision } = await made(put(store, `/k/${id}/${i}`, 'x', { expect: 'absent' }));
          answered.push({ key, revision });
        } catch (error) {
          assert.ok(error instanceof StoreError, String(error));
        }
        await setTimeout(5);
      }
    });
    await setTimeout(100);
    await disturb();
    // Members elect and catch up as fast as the machine lets them: it counts that writes go on, not how soon.
    for (let i = 0, before = answered.length; answered.length <= before + 10 && i < 300; i++) await setTimeout(100);
    writing = false;
    await Promise.all(writers);
    const { entries, revision } = await store.list('/k/');
    await recorder.until(revision, 20_000);
    const told = recorder.log.map(({ key, revision }) => ({ key, revision }));
    assert.deepEqual(entries.map(({ key, revision }) => ({ key, revision })).sort(byRevision), told);
    for (const one of answered)
      assert.ok(told.some((other) => other.key === one.key && other.revision === one.revision));
    assert.ok(answered.length > 10, `${answered.length} writes`);
    await store.close();
  }
  const byRevision = (a: { revision: number }, b: { revision: number }) => a.revision - b.revision;

  it('writes and watches on when members are killed and come back, one after the other', async () => {
    const store = await open(etcd, quick);
    await writeThrough(store, async () => {
      for (const member of etcd.members) {
        await member.kill();
        await setTimeout(300);
        await member.start();
        await setTimeout(300);
      }
    });
  });

  it('turns from a member that has stopped answering', async () => {
    const store = await open(etcd, quick);
    await writeThrough(store, async () => {
      await etcd.members[0]?.pause();
      await setTimeout(2_500);
      etcd.members[0]?.resume();
    });
  });

  it('refuses writes while the majority is away, says what it does not know, and goes on afterwards', async () => {
    const store = await open(etcd, { ...quick, requestTimeoutMs: 1_500 });
    await writeThrough(store, async () => {
      await etcd.members[1]?.kill();
      await etcd.members[2]?.kill();
      await setTimeout(1_000);
      await assert.rejects(put(store, '/k/refused', 'x'), StoreError);
      await assert.rejects(store.get('/k/refused'), StoreError);
      await Promise.all([etcd.members[1]?.start(), etcd.members[2]?.start()]);
      await setTimeout(1_000);
    });
  });

  it('agrees with the model while members are killed and paused', async () => {
    const store = await open(etcd, quick);
    let disturbed = 0;
    const plan = { seed: 'three members', writers: 6, writesPerWriter: 60, keys: 8, failures: true, restarts: 0 };
    const under = {
      store,
      pass: () => setTimeout(0),
      async disturb(random: { int(below: number): number }) {
        const member = etcd.members[random.int(3)];
        if (random.int(2) === 0) {
          await member?.kill();
          await member?.start();
        } else {
          await member?.pause();
          await setTimeout(random.int(700));
          member?.resume();
        }
        disturbed++;
        await setTimeout(random.int(300));
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
    await runPlan(under, plan);
    assert.ok(disturbed >= 3, `disturbed ${disturbed} times`);
    await store.close();
  });
});
