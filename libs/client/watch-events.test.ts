import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport, TransportWatchSink } from './transport.ts';
import { followEvents, watchEvents } from './watch-events.ts';

test('a watch that is given up while its answer is on the way ends', async () => {
  const stopped = new AbortController();
  let closed = false;
  const transport: Transport = {
    request: () => Promise.reject(new Error('it is not asked')),
    async watch() {
      stopped.abort(new Error('given up'));
      return { close: () => (closed = true) };
    },
    close: async () => {},
  };
  const request = { method: 'GET', path: '/api/v1/pods', query: 'watch=true', headers: {}, signal: stopped.signal };
  for await (const event of watchEvents(transport, request)) assert.fail(`it is told ${event.type}`);
  assert.ok(closed);
});

/** A way to a server that is the test: `sink` tells what it likes. */
function heldTransport() {
  const held = { sink: undefined as TransportWatchSink | undefined, closed: 0 };
  const transport: Transport = {
    request: () => Promise.reject(new Error('it is not asked')),
    async watch(_request, sink) {
      held.sink = sink;
      return { close: () => held.closed++ };
    },
    close: async () => {},
  };
  return { held, transport };
}

function heldWatch() {
  const { held, transport } = heldTransport();
  const events = watchEvents(transport, { method: 'GET', path: '/api/v1/pods', query: 'watch=true', headers: {} });
  return { held, events };
}

const named = (name: string) => ({ metadata: { name } });

test('what came before a watch broke is told before its error', async () => {
  const { held, events } = heldWatch();
  const first = events.next();
  await Promise.resolve();
  held.sink?.event('ADDED', named('a'));
  held.sink?.event('ADDED', named('b'));
  held.sink?.ended(new Error('broken'));
  assert.deepEqual(await first, { done: false, value: { type: 'ADDED', object: named('a') } });
  assert.deepEqual(await events.next(), { done: false, value: { type: 'ADDED', object: named('b') } });
  await assert.rejects(events.next(), /broken/);
  assert.deepEqual(await events.next(), { done: true, value: undefined });
  assert.equal(held.closed, 1);
});

test('turns that are asked for at once are answered in their order', async () => {
  const { held, events } = heldWatch();
  const turns = Promise.all([events.next(), events.next(), events.next()]);
  await Promise.resolve();
  for (const name of ['a', 'b']) held.sink?.event('ADDED', named(name));
  held.sink?.ended(undefined);
  const told = (await turns).map((turn) => (turn.done ? 'done' : turn.value.object));
  assert.deepEqual(told, [named('a'), named('b'), 'done']);
});

test('a loop that is left closes its watch, and lets go who waits for room', async () => {
  const { held, events } = heldWatch();
  const first = events.next();
  await Promise.resolve();
  for (let i = 0; i < 300; i++) held.sink?.event('ADDED', named(`${i}`));
  const room = held.sink?.room?.();
  assert.ok(room);
  await first;
  await events.return?.();
  await room;
  assert.equal(held.closed, 1);
  assert.deepEqual(await events.next(), { done: true, value: undefined });
});

/** As `heldWatch`, told by calls. */
function followedWatch(told: (name: string | undefined) => void) {
  const { held, transport } = heldTransport();
  const request = { method: 'GET', path: '/api/v1/pods', query: 'watch=true', headers: {} };
  const watch = followEvents(transport, request, ({ object }) =>
    told((object as { metadata: { name?: string } }).metadata.name),
  );
  return { held, watch };
}

test('who follows is told after the sender, in order, and of the end last', async () => {
  const told: unknown[] = [];
  const { held, watch } = followedWatch((name) => told.push(name));
  const over = assert.rejects(watch.over, /broken/).then(() => told.push('over'));
  await Promise.resolve();
  for (const name of ['a', 'b']) held.sink?.event('ADDED', named(name));
  held.sink?.ended(new Error('broken'));
  held.sink?.event('ADDED', named('too late'));
  assert.deepEqual(told, []);
  await over;
  assert.deepEqual(told, ['a', 'b', 'over']);
  assert.equal(held.closed, 1);
});

test('who no longer follows is told nothing, also of what has come already', async () => {
  const { held, watch } = followedWatch((name) => {
    assert.equal(name, 'a');
    watch.close();
  });
  await Promise.resolve();
  for (let i = 0; i < 300; i++) held.sink?.event('ADDED', named(i === 0 ? 'a' : `${i}`));
  const room = held.sink?.room?.();
  assert.ok(room);
  await Promise.all([watch.over, room]);
  assert.equal(held.closed, 1);
});

test('what a follower throws ends its watch', async () => {
  const { held, watch } = followedWatch(() => {
    throw new Error('not this one');
  });
  await Promise.resolve();
  held.sink?.event('ADDED', named('a'));
  await assert.rejects(watch.over, /not this one/);
  assert.equal(held.closed, 1);
});
