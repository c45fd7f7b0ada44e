import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinSchema } from '../../../api/schema/builtin.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import { decodeJson } from '../../../libs/machinery/codec/json.ts';
import { CacheFixture, configMapKind, podKind, select } from '../../../tests/fixtures/watch-cache.ts';
import { CompactedError } from '../../store/store.ts';
import { objectKey } from './keys.ts';

const text = (pieces: Iterable<Uint8Array>) => Buffer.concat([...pieces]).toString();

describe('the watch cache', () => {
  it('shows what was there at the start and what was written since', async () => {
    const before = new CacheFixture();
    await before.putPod('a', 'one');
    before.caches.add(podKind as Kind, builtinSchema());
    await before.caches.start();
    await before.putPod('b', 'two');
    await before.caches.fresh();
    assert.deepEqual(await before.names(''), ['a/one', 'b/two']);
    await before.remove(podKind as Kind, 'a', 'one');
    await before.caches.fresh();
    assert.deepEqual(await before.names(''), ['b/two']);
    assert.equal(before.caches.revision, 4);
  });

  it('gives the stored bytes themselves in JSON of the storage version', async () => {
    const fixture = await CacheFixture.started();
    await fixture.putPod('a', 'one', { app: 'x' });
    await fixture.caches.fresh();
    const key = objectKey(podKind, 'a', 'one');
    const stored = await fixture.store.get(key);
    const object = fixture.pods.get(key);
    assert.equal(object?.bytes(fixture.form()), stored?.value);
    assert.deepEqual(object?.labels, { app: 'x' });
    assert.equal(object?.uid, 'uid-one');
    assert.equal(object?.object().metadata?.resourceVersion, '2');
    assert.ok(Object.isFrozen(object?.object().metadata?.labels));
  });

  it('keeps integers beyond 2^53', async () => {
    const fixture = await CacheFixture.started();
    await fixture.put(podKind as Kind, 'a', 'one', {
      spec: { containers: [], activeDeadlineSeconds: 9007199254740993n },
    } as never);
    await fixture.caches.fresh();
    const object = fixture.pods.get(objectKey(podKind, 'a', 'one'))?.object() as {
      spec?: { activeDeadlineSeconds?: unknown };
    };
    assert.equal(object.spec?.activeDeadlineSeconds, 9007199254740993n);
  });

  it('makes a kind that comes late show what the store has of it', async () => {
    const fixture = await CacheFixture.started([]);
    await fixture.putPod('a', 'one');
    await fixture.caches.fresh();
    fixture.caches.add(podKind as Kind, builtinSchema());
    assert.deepEqual(await fixture.names(''), ['a/one']);
    fixture.caches.remove(podKind as Kind);
    await fixture.putPod('a', 'two');
    await fixture.caches.fresh();
    fixture.caches.add(podKind as Kind, builtinSchema());
    assert.deepEqual(await fixture.names(''), ['a/one', 'a/two']);
  });

  it('waits with fresh until it has caught up, and gives up with its caller', async () => {
    const fixture = new CacheFixture();
    fixture.caches.add(podKind as Kind, builtinSchema());
    const gone = new AbortController();
    const waiting = Promise.resolve(fixture.caches.fresh(gone));
    gone.abort(new Error('nobody waits'));
    await assert.rejects(waiting, /nobody waits/);
    const fresh = fixture.caches.fresh();
    await fixture.putPod('a', 'one');
    await fixture.caches.start();
    assert.equal(await fresh, 2);
  });

  it('tells 410 also to those who began to watch while it listed anew', async () => {
    const fixture = new CacheFixture();
    const { store } = fixture;
    let ended: ((reason: Error | undefined) => void) | undefined;
    const watch = store.watch.bind(store);
    store.watch = async (prefix, after, handler) => {
      ended = (reason) => handler.ended(reason);
      return watch(prefix, after, handler);
    };
    fixture.caches.add(podKind as Kind, builtinSchema());
    await fixture.caches.start();
    const list = store.list.bind(store);
    let reader: ReturnType<typeof fixture.watch> | undefined;
    store.list = async (prefix, options) => {
      reader = fixture.watch();
      await fixture.clock.settle();
      return list(prefix, options);
    };
    ended?.(new CompactedError(1, 9));
    await fixture.clock.settle();
    assert.match(reader?.told.join() ?? '', /^ERROR 410 /);
    assert.ok(reader?.ended);
  });

  it('lists anew when the store has forgotten what it has not seen', async () => {
    const fixture = new CacheFixture();
    let ended: ((reason: Error | undefined) => void) | undefined;
    const { store } = fixture;
    const watch = store.watch.bind(store);
    store.watch = async (prefix, after, handler) => {
      ended = (reason) => handler.ended(reason);
      return watch(prefix, after, handler);
    };
    fixture.caches.add(podKind as Kind, builtinSchema());
    await fixture.caches.start();
    await fixture.putPod('a', 'one');
    const reader = fixture.watch();
    await fixture.clock.settle();
    ended?.(new CompactedError(2, 9));
    await fixture.putPod('a', 'two');
    await fixture.caches.fresh();
    assert.deepEqual(reader.told, ['ERROR 410 too old resource version: 2 (9)']);
    assert.ok(reader.ended);
    assert.deepEqual(await fixture.names(''), ['a/one', 'a/two']);
  });
});

describe('lists', () => {
  async function filled(count: number, namespaces = 3): Promise<CacheFixture> {
    const fixture = await CacheFixture.started([podKind as Kind, configMapKind]);
    const writes = [];
    for (let i = 0; i < count; i++) {
      const name = `p${String((i * 7919) % count).padStart(5, '0')}`;
      writes.push(fixture.putPod(`ns-${i % namespaces}`, name, { odd: String(i % 2) }, `node-${i % 10}`));
    }
    await Promise.all(writes);
    await fixture.caches.fresh();
    return fixture;
  }

  it('are in the order of keys, also after objects came and went', async () => {
    const fixture = await filled(2000);
    const all = await fixture.names('');
    assert.equal(all.length, 2000);
    assert.deepEqual(all, all.toSorted());
    for (const gone of all.filter((_, i) => i % 3 !== 0)) {
      const [namespace = '', name = ''] = gone.split('/');
      await fixture.remove(podKind as Kind, namespace, name);
    }
    await fixture.caches.fresh();
    assert.deepEqual(
      await fixture.names(''),
      all.filter((_, i) => i % 3 === 0),
    );
    assert.deepEqual(
      await fixture.names('ns-1'),
      all.filter((name, i) => i % 3 === 0 && name.startsWith('ns-1/')),
    );
  });

  it('written from segments are what their objects say', async () => {
    const fixture = await filled(700);
    for (const namespace of ['', 'ns-0', 'ns-2', 'none']) {
      const page = await fixture.pods.list({ selection: select(namespace) });
      const list = JSON.parse(text(page.pieces(fixture.form(), { resourceVersion: String(page.revision) })));
      assert.equal(list.kind, 'PodList');
      assert.equal(list.metadata.resourceVersion, String(fixture.caches.revision));
      const expected = page.objects().map((object) => {
        const { kind: _kind, apiVersion: _version, ...rest } = object.object();
        return rest;
      });
      assert.deepEqual(list.items, expected);
    }
  });

  it('show one state, whatever happens while they are written', async () => {
    const fixture = await filled(700);
    const page = await fixture.pods.list({ selection: select('') });
    const before = page.objects().map((object) => object.name);
    const pieces = page.pieces(fixture.form(), { resourceVersion: '1' })[Symbol.iterator]();
    const head = pieces.next().value as Uint8Array;
    for (const { namespace, name } of page.objects().slice(300, 600))
      await fixture.remove(podKind as Kind, namespace, name);
    const rest: Uint8Array[] = [];
    for (let piece = pieces.next(); !piece.done; piece = pieces.next()) rest.push(piece.value);
    const list = JSON.parse(text([head, ...rest]));
    assert.deepEqual(
      list.items.map((item: { metadata: { name: string } }) => item.metadata.name),
      before,
    );
  });

  it('go on where a page ended, and count what remains', async () => {
    const fixture = await filled(600);
    const all = await fixture.names('');
    const seen: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await fixture.pods.list({ selection: select(''), limit: 250, ...(after ? { after } : {}) });
      seen.push(...page.objects().map((object) => `${object.namespace}/${object.name}`));
      assert.equal(page.remaining, 600 - seen.length);
      assert.equal(page.more, seen.length < 600);
      if (!page.more) break;
      after = page.lastKey;
    }
    assert.deepEqual(seen, all);
  });

  it('find by label, field and name', async () => {
    const fixture = await filled(600, 2);
    const all = (await fixture.pods.list({ selection: select('') })).objects();
    const where = (test: (object: (typeof all)[number]) => boolean) =>
      all.filter(test).map((object) => `${object.namespace}/${object.name}`);
    assert.deepEqual(
      await fixture.names('', 'odd=1'),
      where((o) => o.labels.odd === '1'),
    );
    assert.deepEqual(
      await fixture.names('ns-0', '', 'spec.nodeName=node-4'),
      where((o) => o.namespace === 'ns-0' && o.field('spec.nodeName') === 'node-4'),
    );
    assert.deepEqual(
      await fixture.names('', 'odd!=1', 'spec.nodeName!=node-2'),
      where((o) => o.labels.odd !== '1' && o.field('spec.nodeName') !== 'node-2'),
    );
    assert.deepEqual(
      await fixture.names('', '', 'metadata.name=p00007'),
      where((o) => o.name === 'p00007'),
    );
    assert.deepEqual(await fixture.names('ns-0', '', 'metadata.namespace=ns-1'), []);
  });

  it('keep an index right while objects change', async () => {
    const fixture = await filled(400, 1);
    assert.equal((await fixture.names('', '', 'spec.nodeName=node-3')).length, 40);
    await fixture.putPod('ns-0', 'p00000', {}, 'elsewhere');
    await fixture.caches.fresh();
    assert.deepEqual(await fixture.names('', '', 'spec.nodeName=elsewhere'), ['ns-0/p00000']);
    assert.equal((await fixture.names('', '', 'spec.nodeName=node-0')).length, 39);
    await fixture.remove(podKind as Kind, 'ns-0', 'p00000');
    await fixture.caches.fresh();
    assert.deepEqual(await fixture.names('', '', 'spec.nodeName=elsewhere'), []);
  });

  it('show an older revision exactly', async () => {
    const fixture = await CacheFixture.started();
    const first = await fixture.putPod('a', 'one', { odd: '1' });
    await fixture.putPod('a', 'two');
    await fixture.remove(podKind as Kind, 'a', 'one');
    await fixture.caches.fresh();
    const names = async (revision: number, labels = '') => {
      const page = await fixture.pods.listAt(revision, { selection: select('a', labels) });
      assert.equal(page.revision, revision);
      return page.objects().map((object) => object.name);
    };
    assert.deepEqual(await names(first), ['one']);
    assert.deepEqual(await names(first + 1), ['one', 'two']);
    assert.deepEqual(await names(first + 1, 'odd'), ['one']);
    assert.deepEqual(await names(first + 2), ['two']);
    // Nothing changed here since, so the present state answers.
    const later = await fixture.put(configMapKind, 'a', 'c');
    await fixture.caches.fresh();
    assert.deepEqual(await names(later), ['two']);
  });

  it('are written as metadata, table and protobuf', async () => {
    const fixture = await CacheFixture.started();
    await fixture.putPod('a', 'one', {}, 'n');
    await fixture.caches.fresh();
    const page = await fixture.pods.list({ selection: select('') });
    const metadata = { resourceVersion: '2' };
    const partial = JSON.parse(text(page.pieces(fixture.form({ as: 'metadata' }), metadata)));
    assert.deepEqual(partial, {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items: [
        {
          kind: 'PartialObjectMetadata',
          apiVersion: 'meta.k8s.io/v1',
          metadata: { name: 'one', namespace: 'a', uid: 'uid-one', resourceVersion: '2' },
        },
      ],
    });
    const table = JSON.parse(text(page.pieces(fixture.form({ as: 'table', includeObject: 'None' }), metadata)));
    assert.deepEqual(table.rows, [{ cells: ['one', 'n'], object: null }]);
    assert.equal(table.columnDefinitions.length, 2);
    const { decodeProtobufBody, readEnvelope } = await import('../../../libs/machinery/codec/protobuf/protobuf.ts');
    const envelope = readEnvelope(
      new Uint8Array(
        Buffer.concat([
          ...page.pieces(fixture.form({ media: 'protobuf' }), { ...metadata, continue: 'x', remainingItemCount: 300 }),
        ]),
      ),
    );
    assert.equal(envelope.kind, 'PodList');
    const list = decodeProtobufBody<{ metadata: unknown; items: { metadata: { name: string } }[] }>(
      builtinSchema(),
      'core.v1.PodList',
      envelope.raw,
    );
    assert.deepEqual(list.metadata, { resourceVersion: '2', continue: 'x', remainingItemCount: 300 });
    assert.deepEqual(
      list.items.map((item) => item.metadata.name),
      ['one'],
    );
    const round = decodeJson(
      builtinSchema(),
      'core.v1.Pod',
      text([page.objects()[0]?.bytes(fixture.form()) as Uint8Array]),
    ).object as { metadata: object; spec: object };
    assert.deepEqual((list.items[0] as unknown as { spec: object }).spec, round.spec);
    assert.equal(
      JSON.parse(
        text(
          (await fixture.pods.list({ selection: select('none') })).pieces(fixture.form({ as: 'metadata' }), metadata),
        ),
      ).items,
      null,
    );
  });
});
