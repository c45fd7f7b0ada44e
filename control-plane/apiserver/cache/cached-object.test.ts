import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinSchema } from '../../../api/schema/builtin.ts';
import { turn } from '../../../libs/base/node/turn.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import { defineKind, type KindDefinition } from '../../../libs/kind/kind.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import type { SchemaSet, StructType } from '../../../libs/machinery/schema/ir.ts';
import { CachedObject } from './cached-object.ts';
import { Forms } from './forms.ts';
import { ListWriter } from './list-writer.ts';
import { ObjectWriter } from './object-writer.ts';
import { slicesOf } from './segments.ts';

type Hpa = ApiObject & { spec?: { size?: number; metrics?: { size?: number } } };

/** A custom kind with two versions that say the same in two ways. */
const type = (name: string): StructType => ({ name, custom: true, fields: [], preserveUnknownFields: true });
const schema: SchemaSet = {
  names: [],
  has: () => true,
  get: (name) => (name.startsWith('meta.') ? builtinSchema().get(name) : type(name)),
};
const definition: KindDefinition<Hpa> = {
  group: 'example.com',
  kind: 'Sized',
  resource: 'sizeds',
  namespaced: true,
  storageVersion: 'v2',
  versions: [
    {
      version: 'v1',
      type: 'example.v1.Sized',
      toStorage: (object) => ({ ...object, spec: { metrics: { size: (object as Hpa).spec?.size } } }),
      fromStorage: (object) => ({ ...(object as Hpa), spec: { size: (object as Hpa).spec?.metrics?.size } }) as Hpa,
    },
    { version: 'v2', type: 'example.v2.Sized' },
  ],
};

function cached(text: string, more: Partial<KindDefinition<Hpa>> = {}) {
  const clock = new VirtualClock({ turn });
  const kind = defineKind<Hpa>({ ...definition, ...more });
  const writer = new ObjectWriter(kind as never, schema, clock);
  const value = new TextEncoder().encode(text);
  const object = new CachedObject(
    writer,
    { key: '/registry/example.com/sizeds/a/x', value, revision: 7, createRevision: 7 },
    'a',
    'x',
  );
  return { object, value, writer, forms: new Forms() };
}

const V2 =
  '{"apiVersion":"example.com/v2","kind":"Sized","metadata":{"name":"x","namespace":"a","uid":"u","resourceVersion":"7","labels":{"l":"1"}},"spec":{"metrics":{"size":3}}}';
const V1 =
  '{"apiVersion":"example.com/v1","kind":"Sized","metadata":{"name":"x","namespace":"a","uid":"u","resourceVersion":"7"},"spec":{"size":3}}';
const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());

describe('a cached object', () => {
  it('gives the stored bytes for the stored version, and makes the other once', () => {
    const { object, value, forms } = cached(V2);
    const v1 = forms.get({ apiVersion: 'example.com/v1' });
    assert.equal(object.bytes(forms.get({ apiVersion: 'example.com/v2' })), value);
    assert.deepEqual(parse(object.bytes(v1)).spec, { size: 3 });
    assert.equal(parse(object.bytes(v1)).apiVersion, 'example.com/v1');
    assert.equal(object.bytes(v1), object.bytes(v1));
    assert.deepEqual(object.value(v1), parse(object.bytes(v1)));
  });

  it('is of today’s storage version, whichever it was stored in', () => {
    const { object, value, forms } = cached(V1);
    assert.equal(object.object().apiVersion, 'example.com/v2');
    assert.deepEqual((object.object() as Hpa).spec, { metrics: { size: 3 } });
    const v2 = object.bytes(forms.get({ apiVersion: 'example.com/v2' }));
    assert.notEqual(v2, value);
    assert.deepEqual(parse(v2).spec, { metrics: { size: 3 } });
  });

  it('knows its uid and labels without being parsed', () => {
    const { object } = cached(V2.replace('"spec":{"metrics":{"size":3}}', '"spec":{"metrics":{"size":3}'));
    // What is broken after the metadata is not looked at.
    assert.equal(object.uid, 'u');
    assert.deepEqual(object.labels, { l: '1' });
    assert.throws(() => object.object());
  });

  it('does not take properties of all objects for labels or fields', () => {
    const { object } = cached(V2);
    assert.equal(object.field('constructor'), undefined);
    assert.equal(object.field('metadata.name'), 'x');
    assert.equal(object.field('metadata.namespace'), 'a');
  });

  it('shows what its kind adds for readers, and keeps what is stored', () => {
    const { object, forms } = cached(V2, {
      strategy: {
        decorate(shown) {
          shown.spec = { size: 99 };
        },
      },
    });
    const form = forms.get({ apiVersion: 'example.com/v2' });
    assert.deepEqual(parse(object.bytes(form)).spec, { size: 99 });
    assert.deepEqual((object.object() as Hpa).spec, { metrics: { size: 3 } });
  });

  it('says when it was deleted, in bytes and value, and stays what it was itself', () => {
    const { object, forms } = cached(V2);
    const gone = object.deletedAt(123456);
    const form = forms.get({ apiVersion: 'example.com/v2' });
    assert.equal(parse(gone.bytes(form)).metadata.resourceVersion, '123456');
    assert.equal(gone.object().metadata?.resourceVersion, '123456');
    assert.equal(object.object().metadata?.resourceVersion, '7');
  });

  it('keeps its items’ types in lists of custom kinds', () => {
    const { object, writer, forms } = cached(V2);
    const pieces = [
      ...new ListWriter(writer).pieces(slicesOf([object, object]), forms.get({ apiVersion: 'example.com/v2' }), {
        resourceVersion: '9',
      }),
    ];
    const list = parse(Buffer.concat(pieces));
    assert.deepEqual([list.kind, list.apiVersion], ['SizedList', 'example.com/v2']);
    assert.deepEqual(list.items, [JSON.parse(V2), JSON.parse(V2)]);
  });

  it('forgets frames and parsed forms that nobody holds, when it is no longer news', () => {
    const { object, forms } = cached(V2);
    const form = forms.get({ apiVersion: 'example.com/v2' });
    const frame = object.frame(form, 'ADDED');
    assert.equal(object.frame(form, 'ADDED'), frame);
    const held = object.object();
    object.relax();
    assert.notEqual(object.frame(form, 'ADDED'), frame);
    assert.equal(object.object(), held);
  });
});
