import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinSchema } from '../../../api/schema/builtin.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import { CacheFixture, configMapKind, nodeKind, podKind, select } from '../../../tests/fixtures/watch-cache.ts';

const pods = podKind as Kind;

describe('a watch', () => {
  it('tells every write after its revision, in order, once', async () => {
    const fixture = await CacheFixture.started();
    const from = await fixture.putPod('a', 'old');
    await fixture.putPod('a', 'missed');
    const reader = fixture.watch({ start: from });
    await fixture.putPod('a', 'new');
    await fixture.putPod('a', 'new', { changed: 'yes' });
    await fixture.remove(pods, 'a', 'old');
    await fixture.clock.settle();
    assert.deepEqual(reader.told, ['ADDED missed', 'ADDED new', 'MODIFIED new', 'DELETED old']);
  });

  it('carries the deletion’s revision in DELETED, in the bytes and in the object', async () => {
    const fixture = await CacheFixture.started();
    await fixture.putPod('a', 'one', { resourceVersion: '7' });
    const reader = fixture.watch();
    const gone = await fixture.remove(pods, 'a', 'one');
    await fixture.clock.settle();
    const frame = reader.frames[0];
    const line = JSON.parse(Buffer.from(frame?.bytes() as Uint8Array).toString());
    assert.equal(line.type, 'DELETED');
    assert.equal(line.object.metadata.resourceVersion, String(gone));
    assert.deepEqual(line.object.metadata.labels, { resourceVersion: '7' });
    assert.deepEqual(frame?.value(), line.object);
  });

  it('begins with what is there, then closes that with a bookmark', async () => {
    const fixture = await CacheFixture.started();
    await fixture.putPod('b', 'two');
    await fixture.putPod('a', 'one');
    const reader = fixture.watch({ start: 'state', initialEventsEnd: true });
    await fixture.clock.settle();
    await fixture.putPod('a', 'three');
    await fixture.clock.settle();
    assert.deepEqual(reader.told, ['ADDED one', 'ADDED two', 'BOOKMARK 3', 'ADDED three']);
    assert.deepEqual(reader.frames[2]?.value(), {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { resourceVersion: '3', annotations: { 'k8s.io/initial-events-end': 'true' } },
      spec: { containers: null },
      status: {},
    });
  });

  it('misses nothing that happens while the first state is told', async () => {
    const fixture = await CacheFixture.started();
    await Promise.all(Array.from({ length: 600 }, (_, i) => fixture.putPod('a', `p${i}`)));
    const reader = fixture.watch({ start: 'state' });
    reader.capacity = 100;
    await fixture.clock.settle();
    assert.equal(reader.frames.length, 100);
    await fixture.putPod('a', 'p0', { changed: 'yes' });
    reader.takeMore(10_000);
    await fixture.clock.settle();
    assert.equal(reader.told.filter((event) => event.startsWith('ADDED')).length, 600);
    assert.equal(reader.told.at(-1), 'MODIFIED p0');
  });

  // What happens to the label `on`, and what a watcher of on=y is told.
  const selections: readonly { was?: string; is?: string; told: string[] }[] = [
    { is: 'y', told: ['ADDED x'] },
    { is: 'n', told: [] },
    { was: 'y', is: 'y', told: ['MODIFIED x'] },
    { was: 'n', is: 'y', told: ['ADDED x'] },
    { was: 'y', is: 'n', told: ['DELETED x'] },
    { was: 'n', is: 'n', told: [] },
    { was: 'y', told: ['DELETED x'] },
    { was: 'n', told: [] },
  ];
  for (const { was, is, told } of selections) {
    it(`of a selector is told ${told[0] ?? 'nothing'} when its label goes from ${was} to ${is}`, async () => {
      const fixture = await CacheFixture.started();
      if (was) await fixture.putPod('a', 'x', { on: was });
      const live = fixture.watch({ selection: select('', 'on=y') });
      await fixture.clock.settle();
      const before = fixture.caches.revision;
      const revision = is ? await fixture.putPod('a', 'x', { on: is }) : await fixture.remove(pods, 'a', 'x');
      const late = fixture.watch({ selection: select('', 'on=y'), start: before });
      await fixture.clock.settle();
      assert.deepEqual(live.told, told);
      assert.deepEqual(late.told, told);
      for (const frame of live.frames) {
        assert.equal(
          (frame.value() as { metadata: { resourceVersion: string } }).metadata.resourceVersion,
          String(revision),
        );
      }
    });
  }

  it('is told of its namespace, name or node alone', async () => {
    const fixture = await CacheFixture.started([pods, nodeKind]);
    const inA = fixture.watch({ selection: select('a') });
    const named = fixture.watch({ selection: select('a', '', 'metadata.name=one') });
    const namedAnywhere = fixture.watch({ selection: select('', '', 'metadata.name=one') });
    const onNode = fixture.watch({ selection: select('', '', 'spec.nodeName=n1') });
    const oneNode = fixture.watch({ selection: select('', '', 'metadata.name=n1') }, nodeKind);
    await fixture.clock.settle();
    await fixture.putPod('a', 'one');
    await fixture.putPod('b', 'one');
    await fixture.putPod('a', 'two', {}, 'n1');
    await fixture.putPod('a', 'two', { moved: 'yes' }, 'n2');
    await fixture.put(nodeKind, '', 'n1');
    await fixture.put(nodeKind, '', 'n2');
    await fixture.clock.settle();
    assert.deepEqual(inA.told, ['ADDED one', 'ADDED two', 'MODIFIED two']);
    assert.deepEqual(named.told, ['ADDED one']);
    assert.deepEqual(namedAnywhere.told, ['ADDED one', 'ADDED one']);
    assert.deepEqual(onNode.told, ['ADDED two', 'DELETED two']);
    assert.deepEqual(oneNode.told, ['ADDED n1']);
  });

  it('shares one frame between all watchers of a form', async () => {
    const fixture = await CacheFixture.started();
    const readers = [fixture.watch(), fixture.watch(), fixture.watch({ selection: select('a') })];
    await fixture.clock.settle();
    await fixture.putPod('a', 'one');
    await fixture.clock.settle();
    const [first] = readers.map((reader) => reader.frames[0]);
    for (const reader of readers) assert.equal(reader.frames[0]?.bytes(), first?.bytes());
  });

  it('from before the cache’s ring is read from the store, and goes on from the ring', async () => {
    const fixture = await CacheFixture.started([pods, configMapKind], { ring: { events: 5 } });
    const from = fixture.caches.revision;
    for (let i = 0; i < 20; i++) {
      await fixture.putPod('a', `p${i}`);
      await fixture.put(configMapKind, 'a', `c${i}`);
    }
    const reader = fixture.watch({ start: from });
    await fixture.clock.settle();
    await fixture.putPod('a', 'last');
    await fixture.clock.settle();
    assert.deepEqual(reader.told, [...Array.from({ length: 20 }, (_, i) => `ADDED p${i}`), 'ADDED last']);
  });

  it('from before the store’s history is told 410 in one event', async () => {
    const fixture = await CacheFixture.started([pods], { ring: { events: 2 } });
    const from = await fixture.putPod('a', 'one');
    for (let i = 0; i < 5; i++) await fixture.putPod('a', `p${i}`);
    await fixture.store.compact(5);
    const reader = fixture.watch({ start: from });
    await fixture.clock.settle();
    assert.deepEqual(reader.told, ['ERROR 410 too old resource version: 2 (5)']);
    assert.deepEqual(JSON.parse(Buffer.from(reader.frames[0]?.bytes() as Uint8Array).toString()), {
      type: 'ERROR',
      object: {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'too old resource version: 2 (5)',
        reason: 'Expired',
        code: 410,
      },
    });
    assert.ok(reader.ended);
    assert.equal(fixture.pods.watcherCount, 0);
  });

  it('holds nothing for a reader without room, who still gets everything', async () => {
    const fixture = await CacheFixture.started();
    const reader = fixture.watch();
    reader.capacity = 1;
    await fixture.clock.settle();
    for (let i = 0; i < 50; i++) await fixture.putPod('a', `p${i}`);
    await fixture.clock.settle();
    assert.deepEqual(reader.told, ['ADDED p0']);
    reader.takeMore(1000);
    await fixture.clock.settle();
    await fixture.putPod('a', 'last');
    assert.deepEqual(reader.told, [...Array.from({ length: 50 }, (_, i) => `ADDED p${i}`), 'ADDED last']);
  });

  it('lets go of a reader that takes nothing for too long', async () => {
    const fixture = await CacheFixture.started();
    const reader = fixture.watch();
    reader.capacity = 1;
    await fixture.clock.settle();
    await fixture.putPod('a', 'one');
    await fixture.clock.advance(29_000);
    assert.equal(reader.ended, false);
    await fixture.clock.advance(2000);
    assert.ok(reader.ended);
    assert.equal(fixture.pods.watcherCount, 0);
  });

  it('gets a bookmark each minute and shortly before its end, and ends in time', async () => {
    const fixture = await CacheFixture.started([pods, configMapKind]);
    const reader = fixture.watch({ bookmarks: true, timeoutMs: 150_000 });
    const short = fixture.watch({ bookmarks: true, timeoutMs: 1000 });
    const silent = fixture.watch({ timeoutMs: 200_000 });
    await fixture.put(configMapKind, 'a', 'other');
    await fixture.clock.advance(61_000);
    assert.deepEqual(reader.told, ['BOOKMARK 2']);
    assert.deepEqual([short.told, short.ended], [[], true]);
    await fixture.clock.advance(88_000);
    assert.deepEqual(reader.told, ['BOOKMARK 2', 'BOOKMARK 2', 'BOOKMARK 2']);
    assert.equal(reader.ended, false);
    await fixture.clock.advance(2000);
    assert.ok(reader.ended);
    assert.deepEqual(silent.told, []);
    silent.handle?.close();
    assert.equal(fixture.clock.pending, 0);
  });

  it('is told nothing after close, and leaves nothing behind', async () => {
    const fixture = await CacheFixture.started();
    const selections = [
      select(''),
      select('a'),
      select('a', '', 'metadata.name=one'),
      select('', '', 'spec.nodeName=n1'),
    ];
    const readers = selections.map((selection) =>
      fixture.watch({ selection, start: 'state', bookmarks: true, timeoutMs: 9000 }),
    );
    await fixture.clock.settle();
    for (const reader of readers) reader.handle?.close();
    await fixture.putPod('a', 'one', {}, 'n1');
    await fixture.clock.advance(20_000);
    assert.deepEqual(
      readers.flatMap((reader) => reader.told),
      [],
    );
    assert.equal(fixture.pods.watcherCount, 0);
    assert.equal(fixture.clock.pending, 0);
  });

  it('ends cleanly when its kind changes or goes, or the cache stops', async () => {
    const fixture = await CacheFixture.started();
    await fixture.putPod('a', 'one');
    for (const happens of [
      () => fixture.caches.add({ ...pods }, builtinSchema()),
      () => fixture.caches.remove(fixture.pods.kind),
      () => fixture.caches.stop(),
    ]) {
      if (happens.toString().includes('stop')) fixture.caches.add(pods, builtinSchema());
      const reader = fixture.watch();
      await fixture.clock.settle();
      happens();
      assert.deepEqual([reader.told, reader.ended], [[], true]);
    }
  });

  it('as a table has its columns in the first event alone', async () => {
    const fixture = await CacheFixture.started();
    const reader = fixture.watch({ form: fixture.form({ as: 'table' }) });
    await fixture.clock.settle();
    await fixture.putPod('a', 'one', {}, 'n1');
    await fixture.putPod('a', 'two');
    await fixture.clock.settle();
    const tables = reader.frames.map((frame) => JSON.parse(Buffer.from(frame.bytes()).toString()).object);
    assert.equal(tables[0].columnDefinitions.length, 2);
    assert.equal(tables[1].columnDefinitions, null);
    assert.deepEqual(tables[0].rows[0].cells, ['one', 'n1']);
    assert.equal(tables[0].rows[0].object.kind, 'PartialObjectMetadata');
  });

  it('in protobuf is framed by its length', async () => {
    const fixture = await CacheFixture.started();
    const reader = fixture.watch({ form: fixture.form({ media: 'protobuf' }), start: 'state', initialEventsEnd: true });
    await fixture.clock.settle();
    await fixture.putPod('a', 'one');
    await fixture.clock.settle();
    const { decodeProtobufBody, readEnvelope } = await import('../../../libs/machinery/codec/protobuf/protobuf.ts');
    const names = reader.frames.map((frame) => {
      const bytes = frame.bytes();
      assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), bytes.length - 4);
      // WatchEvent: type, then the object in a message of its own.
      const typeLength = bytes[5] as number;
      const type = Buffer.from(bytes.subarray(6, 6 + typeLength)).toString();
      const envelope = readEnvelope(bytes.subarray(bytes.indexOf(0x6b, 6 + typeLength)));
      const pod = decodeProtobufBody<{ metadata: { name?: string } }>(builtinSchema(), 'core.v1.Pod', envelope.raw);
      return `${type} ${envelope.kind} ${pod.metadata.name}`;
    });
    assert.deepEqual(names, ['BOOKMARK Pod undefined', 'ADDED Pod one']);
  });
});
