import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { turn } from '../base/node/turn.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { TransportError } from '../kind/client.ts';
import type { ApiObject } from '../kind/object.ts';
import { createClient } from './client.ts';
import { EventNames, type ObjectReference } from './event-sink.ts';
import { createEventRecorder, createSeriesEventRecorder } from './events.ts';
import { FakeApi } from './fakes.ts';

const pod: ApiObject = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'web', namespace: 'a', uid: 'u', resourceVersion: '7' },
};
const node: ApiObject = { kind: 'Node', apiVersion: 'v1', metadata: { name: 'n1' } };

type Written = Record<string, unknown> & { metadata: { name: string; namespace: string } };

function setUp(make: typeof createEventRecorder = createEventRecorder, group = '') {
  const clock = new VirtualClock({ turn });
  const api = new FakeApi(clock);
  const client = createClient(api);
  const recorder = make({ client, clock, log: silentLogger, component: 'tester', host: 'h' });
  const written = async () => {
    const ref = { group, version: 'v1', resource: 'events', kind: 'Event', namespaced: true };
    return (await client.resource(ref).list()).items as unknown as Written[];
  };
  return { clock, api, client, recorder, written };
}

describe('events of the core group', () => {
  it('say who saw what of whom, and when', async () => {
    const { recorder, written } = setUp();
    recorder.event(pod, 'Normal', 'Started', 'Started it');
    recorder.event(node, 'Warning', 'Gone', 'no news');
    await recorder.flushed();
    const [first, second] = await written();
    assert.match(first?.metadata.name ?? '', /^web\.[0-9a-f]{16}$/);
    const { metadata: _metadata, kind: _kind, apiVersion: _version, ...rest } = first as Written;
    assert.deepEqual(rest, {
      involvedObject: { kind: 'Pod', namespace: 'a', name: 'web', uid: 'u', apiVersion: 'v1', resourceVersion: '7' },
      reason: 'Started',
      message: 'Started it',
      source: { component: 'tester', host: 'h' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
      type: 'Normal',
      reportingComponent: 'tester',
      reportingInstance: 'h',
    });
    assert.equal(second?.metadata.namespace, 'default');
    await recorder.stop();
  });

  it('are counted when they are equal', async () => {
    const { clock, api, recorder, written } = setUp();
    for (let i = 0; i < 3; i++) {
      recorder.event(pod, 'Warning', 'Failed', 'again');
      await clock.advance(10_000);
    }
    recorder.event(pod, 'Warning', 'Failed', 'otherwise');
    await recorder.flushed();
    const all = await written();
    assert.deepEqual(
      all.map(({ message, count, lastTimestamp }) => [message, count, lastTimestamp]),
      [
        ['again', 3, '2026-01-01T00:00:20Z'],
        ['otherwise', 1, '2026-01-01T00:00:30Z'],
      ],
    );
    assert.deepEqual(
      api.requests.filter(({ method }) => method !== 'GET').map(({ method }) => method),
      ['POST', 'PATCH', 'PATCH', 'POST'],
    );
    await recorder.stop();
  });

  it('are told apart by the part of the object that they are about', async () => {
    const { recorder, written } = setUp();
    for (const name of ['init', 'web', 'web']) {
      recorder.event(pod, 'Normal', 'Created', 'Container created', undefined, `spec.containers{${name}}`);
    }
    await recorder.flushed();
    assert.deepEqual(
      (await written()).map(({ involvedObject, count }) => [(involvedObject as ObjectReference).fieldPath, count]),
      [
        ['spec.containers{init}', 1],
        ['spec.containers{web}', 2],
      ],
    );
    await recorder.stop();
  });

  it('are written anew, with their count, when the counted one has gone', async () => {
    const { client, recorder, written } = setUp();
    recorder.event(pod, 'Warning', 'Failed', 'again');
    await recorder.flushed();
    const [first] = await written();
    await client
      .resource({ group: '', version: 'v1', resource: 'events', kind: 'Event', namespaced: true })
      .namespace('a')
      .delete(first?.metadata.name as string);
    recorder.event(pod, 'Warning', 'Failed', 'again');
    await recorder.flushed();
    assert.deepEqual(
      (await written()).map(({ count }) => count),
      [2],
    );
    await recorder.stop();
  });

  it('become one when only their messages differ', async () => {
    const { recorder, written } = setUp();
    for (let i = 0; i < 14; i++) recorder.event(pod, 'Warning', 'Failed', `attempt ${i}`);
    await recorder.flushed();
    const all = await written();
    assert.equal(all.length, 10);
    assert.equal(all.at(-1)?.message, '(combined from similar events): attempt 13');
    assert.equal(all.at(-1)?.count, 5);
    await recorder.stop();
  });

  it('are dropped when one object says too much, and let through later', async () => {
    const { clock, recorder, written } = setUp();
    const count = async () => (await written()).reduce((sum, event) => sum + (event.count as number), 0);
    for (let i = 0; i < 60; i++) recorder.event(pod, 'Normal', `Reason${i}`, 'x');
    recorder.event(node, 'Normal', 'Ready', 'another object');
    await recorder.flushed();
    assert.equal(await count(), 26);
    await clock.advance(300_000);
    for (let i = 0; i < 5; i++) recorder.event(pod, 'Normal', `Late${i}`, 'x');
    await recorder.flushed();
    assert.equal(await count(), 27);
    await recorder.stop();
  });

  it('wait while the server cannot be reached, and not for ever', async () => {
    const { clock, api, recorder, written } = setUp();
    let down = true;
    api.fail(() => (down ? new TransportError('refused', { sent: false }) : undefined));
    recorder.event(pod, 'Normal', 'One', 'x');
    await clock.advance(60_000);
    down = false;
    await clock.advance(10_000);
    assert.equal((await written()).length, 1);
    down = true;
    recorder.event(pod, 'Normal', 'Two', 'x');
    await clock.advance(130_000);
    await recorder.flushed();
    assert.equal(clock.pending, 0);
    recorder.event(pod, 'Normal', 'Three', 'x');
    await clock.settle();
    await recorder.stop();
    assert.equal(clock.pending, 0);
  });
});

describe('events of events.k8s.io', () => {
  it('become a series when they repeat', async () => {
    const { clock, api, recorder, written } = setUp(createSeriesEventRecorder, 'events.k8s.io');
    recorder.event(pod, 'Warning', 'FailedScheduling', 'no room', 'Scheduling');
    await recorder.flushed();
    const [first] = await written();
    const { metadata: _metadata, kind: _kind, apiVersion: _version, ...rest } = first as Written;
    assert.deepEqual(rest, {
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'tester',
      reportingInstance: 'tester-h',
      action: 'Scheduling',
      reason: 'FailedScheduling',
      regarding: { kind: 'Pod', namespace: 'a', name: 'web', uid: 'u', apiVersion: 'v1', resourceVersion: '7' },
      note: 'no room',
      type: 'Warning',
    });
    for (let i = 0; i < 5; i++) {
      await clock.advance(60_000);
      recorder.event(pod, 'Warning', 'FailedScheduling', `no room ${i}`, 'Scheduling');
    }
    await recorder.flushed();
    assert.deepEqual(
      (await written()).map(({ series }) => series),
      [{ count: 2, lastObservedTime: '2026-01-01T00:01:00.000000Z' }],
    );
    await clock.advance(800_000);
    // Over: its full length is written, and it is forgotten.
    assert.deepEqual(
      (await written()).map(({ series }) => series),
      [{ count: 6, lastObservedTime: '2026-01-01T00:05:00.000000Z' }],
    );
    assert.equal(clock.pending, 0);
    recorder.event(pod, 'Warning', 'FailedScheduling', 'again', 'Scheduling');
    await recorder.flushed();
    assert.equal((await written()).length, 2);
    assert.equal(api.requests.filter(({ method }) => method === 'POST').length, 2);
    await recorder.stop();
  });

  it('are cut to what the API takes', async () => {
    const { recorder, written } = setUp(createSeriesEventRecorder, 'events.k8s.io');
    recorder.event(pod, 'Normal', 'Long', 'ä'.repeat(1000));
    await recorder.flushed();
    assert.equal(new TextEncoder().encode((await written())[0]?.note as string).length, 1024);
    await recorder.stop();
  });
});

it('two components that tell of one object at one moment do not take one name', () => {
  const clock = new VirtualClock({ turn, startMs: 1_767_225_600_000 });
  const [one, other] = [new EventNames(clock, 'persistentvolume-controller'), new EventNames(clock, 'scheduler')];
  const names = [one.next('a'), one.next('a'), other.next('a'), other.next('a')];
  assert.equal(new Set(names).size, names.length, names.join());
});
