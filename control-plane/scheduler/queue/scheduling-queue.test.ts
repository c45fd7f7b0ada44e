import assert from 'node:assert/strict';
import { test } from 'node:test';
import { turn } from '../../../libs/base/node/turn.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import type { Pod } from '../cache/cluster-objects.ts';
import { PodReader } from '../cache/pod-info.ts';
import type { ClusterEvent } from '../framework/events.ts';
import { type QueuedPod, SchedulingQueue } from './scheduling-queue.ts';

const reader = new PodReader();
const pod = (name: string, priority = 0) =>
  reader.read({ metadata: { name, namespace: 'default', uid: name }, spec: { containers: [], priority } } as Pod);

function queueOn(clock: VirtualClock): SchedulingQueue {
  return new SchedulingQueue({
    clock,
    compare: (a, b) => b.pod.priority - a.pod.priority || a.sequence - b.sequence,
    helps: (_, refusedBy, { kind }) => refusedBy.has('NodeResourcesFit') && kind === 'Node',
    ready: () => {},
  });
}

const nodeAdded: ClusterEvent = { kind: 'Node', action: 'add', object: {}, previous: undefined };
const namespaceChanged: ClusterEvent = { kind: 'Namespace', action: 'update', object: {}, previous: {} };
const fit = new Set(['NodeResourcesFit']);

test('the more important pod comes first, equals in the order of their coming', () => {
  const queue = queueOn(new VirtualClock({ turn }));
  for (const one of [pod('a'), pod('b', 10), pod('c'), pod('d', 10)]) queue.add(one);
  assert.deepEqual(
    Array.from({ length: 5 }, () => queue.pop()?.key),
    ['b', 'd', 'a', 'c', undefined],
  );
});

test('an unschedulable pod waits for an event that could help it', () => {
  const clock = new VirtualClock({ turn });
  const queue = queueOn(clock);
  queue.add(pod('a'));
  queue.unschedulable(queue.pop() as QueuedPod, pod('a'), fit);
  queue.event(namespaceChanged);
  assert.equal(queue.placeOf('a'), 'unschedulable');
  queue.event(nodeAdded);
  assert.equal(queue.placeOf('a'), 'backoff');
  // With nothing else to do it need not wait.
  assert.equal(queue.pop()?.attempts, 1);
});

test('back-off doubles from one second up to ten, and has to be sat out after an error', async () => {
  const clock = new VirtualClock({ turn });
  const queue = queueOn(clock);
  queue.add(pod('a'));
  for (const seconds of [1, 2, 4, 8, 10, 10]) {
    queue.failed(queue.pop() as QueuedPod, pod('a'));
    assert.equal(queue.pop(), undefined);
    await clock.advance(seconds * 1000 - 1);
    assert.equal(queue.placeOf('a'), 'backoff');
    await clock.advance(1);
    assert.equal(queue.placeOf('a'), 'active', `after ${seconds} s`);
  }
});

test('a pod that nothing helps is tried again after five minutes; one behind a gate is not', async () => {
  const clock = new VirtualClock({ turn });
  const queue = queueOn(clock);
  queue.add(pod('gated'), 'SchedulingGates');
  queue.add(pod('a'));
  queue.unschedulable(queue.pop() as QueuedPod, pod('a'), fit);
  await clock.advance(299_000);
  assert.equal(queue.placeOf('a'), 'unschedulable');
  await clock.advance(31_000);
  assert.equal(queue.placeOf('a'), 'active');
  assert.equal(queue.placeOf('gated'), 'unschedulable');
  queue.close();
});
