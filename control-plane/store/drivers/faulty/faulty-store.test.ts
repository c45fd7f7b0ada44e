import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { storeConformance } from '../../conformance/conformance.ts';
import { made, put, Recorder, SkippingClock } from '../../conformance/under-test.ts';
import { CompactedError, StoreError } from '../../store.ts';
import { MemoryStore } from '../memory/memory-store.ts';
import { type Faults, FaultyStore } from './faulty-store.ts';

// Without faults it adds nothing to the store under it.
storeConformance('faulty without faults', async () => {
  const clock = new SkippingClock();
  const random = new SeededRandom('faulty');
  const store = new FaultyStore(new MemoryStore({ clock, random }), { clock, random, faults: {} });
  return { store, pass: (ms) => clock.skip(ms), [Symbol.asyncDispose]: () => store.close() };
});

const open = (faults: Faults) => {
  const clock = new RealClock();
  const random = new SeededRandom(7);
  const inner = new MemoryStore({ clock, random });
  return { inner, store: new FaultyStore(inner, { clock, random, faults }) };
};

/** How many of 200 calls fail with the reason and outcome. */
async function failures(call: () => Promise<unknown>, outcome: 'no' | 'maybe'): Promise<number> {
  let count = 0;
  for (let i = 0; i < 200; i++) {
    try {
      await call();
    } catch (error) {
      assert.ok(
        error instanceof StoreError && error.reason === 'unavailable' && error.outcome === outcome,
        String(error),
      );
      count++;
    }
  }
  return count;
}

const about = (count: number, expected: number) =>
  assert.ok(Math.abs(count - expected) < expected / 2, `${count}, not about ${expected}`);

describe('faulty store', () => {
  it('fails writes that are then not done', async () => {
    const { store, inner } = open({ writeFailShare: 0.3 });
    const failed = await failures(() => put(store, '/k', 'x'), 'no');
    about(failed, 60);
    assert.equal(await inner.currentRevision(), 201 - failed);
  });

  it('loses answers to writes, of which half are done', async () => {
    const { store, inner } = open({ writeMaybeShare: 0.4 });
    const lost = await failures(() => put(store, '/k', 'x'), 'maybe');
    about(lost, 80);
    about((await inner.currentRevision()) - 1 - (200 - lost), lost / 2);
  });

  it('fails reads', async () => {
    const { store } = open({ readFailShare: 0.5 });
    for (const call of [
      () => store.get('/k'),
      () => store.list('/'),
      () => store.watch('/', 1, new Recorder('/', 1)),
    ]) {
      about(await failures(call, 'no'), 100);
    }
  });

  const breaks: [Faults, (reason: unknown) => boolean][] = [
    [{ watchBreakShare: 0.1 }, (reason) => reason instanceof StoreError],
    [{ watchCompactedShare: 0.1 }, (reason) => reason instanceof CompactedError],
  ];
  for (const [faults, right] of breaks) {
    it(`ends watches (${Object.keys(faults)}), which can go on from where they were`, async () => {
      const { store } = open(faults);
      let told = 0;
      let watches = 0;
      let recorder = await Recorder.start(store, '/', 1);
      for (let i = 0; i < 400; i++) {
        const { revision } = await made(put(store, '/k', String(i)));
        await recorder.when(() => recorder.log.at(-1)?.revision === revision, 'the event');
        if (recorder.endedWith === 'not yet') continue;
        assert.ok(right(recorder.endedWith), String(recorder.endedWith));
        told += recorder.log.length;
        watches++;
        recorder = await Recorder.start(store, '/', revision);
      }
      assert.equal(told + recorder.log.length, 400);
      about(watches, 40);
    });
  }

  it('forgets history', async () => {
    const { store } = open({ compactShare: 1 });
    const { revision } = await made(put(store, '/k', 'x'));
    assert.equal(await store.compactedRevision(), revision);
  });

  it('answers late', async () => {
    const { store } = open({ delayMsMax: 5 });
    const started = performance.now();
    for (let i = 0; i < 10; i++) await store.get('/k');
    assert.ok(performance.now() - started > 15);
  });

  it('stops when told so', async () => {
    const { store } = open({ writeFailShare: 1, readFailShare: 1 });
    store.setFaults({});
    await made(put(store, '/k', 'x'));
  });
});
