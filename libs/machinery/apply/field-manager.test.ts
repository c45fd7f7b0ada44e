import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field, SchemaSet, StructType, TypeRef } from '../schema/ir.ts';
import { type ApplyOptions, FieldManager, type FieldManagerOptions, type ManagedObject } from './field-manager.ts';
import { type ManagedFieldsEntry, managerOf, sameButForTimes } from './managed-fields.ts';
import { parentManagedFields, scaleManagedFields } from './scale.ts';
import { Structures } from './structure.ts';

const string: TypeRef = { k: 'string' };
const list = (name: string, of: TypeRef, listType: 'atomic' | 'set' | 'map', ...keys: string[]): Field => ({
  name,
  type: { k: 'list', of },
  listType,
  ...(keys.length > 0 ? { listMapKeys: keys } : {}),
});
const struct = (name: string, fields: Field[], more: Partial<StructType> = {}): StructType => ({
  name,
  fields,
  ...more,
});

const meta = struct('Meta', [
  { name: 'name', type: string },
  { name: 'namespace', type: string },
  { name: 'uid', type: string },
  { name: 'labels', type: { k: 'map', of: string } },
  { name: 'annotations', type: { k: 'map', of: string } },
  { name: 'managedFields', type: { k: 'list', of: { k: 'any' } } },
]);
const port = struct('Port', [
  { name: 'port', type: { k: 'int32' } },
  { name: 'protocol', type: string, default: 'TCP' },
  { name: 'name', type: string },
]);
const device = struct('Device', [
  { name: 'name', type: string },
  { name: 'share', type: string },
  { name: 'state', type: string },
]);
const spec = struct('Spec', [
  { name: 'a', type: string },
  { name: 'b', type: string },
  { name: 'n', type: { k: 'int32' } },
  list('set', string, 'set'),
  list('plain', string, 'atomic'),
  list('ports', { k: 'struct', type: port }, 'map', 'port', 'protocol'),
  list('devices', { k: 'struct', type: device }, 'map', 'name', 'share'),
  { name: 'one', type: { k: 'struct', type: port }, mapType: 'atomic' },
  { name: 'free', type: { k: 'any' } },
  { name: 'zero', type: { k: 'struct', type: struct('Zero', [{ name: 'x', type: string, zero: '' }]) }, zero: {} },
]);
const thing = struct('Thing', [
  { name: 'apiVersion', type: string },
  { name: 'kind', type: string },
  { name: 'metadata', type: { k: 'struct', type: meta } },
  { name: 'spec', type: { k: 'struct', type: spec } },
  { name: 'status', type: { k: 'map', of: string } },
]);

const none: SchemaSet = {
  names: [],
  has: () => false,
  get: (name) => {
    throw new Error(name);
  },
};
const structures = new Structures(none);
const type: TypeRef = { k: 'struct', type: thing };
const fieldManager = (more: Partial<FieldManagerOptions> = {}): FieldManager =>
  new FieldManager({ structures, type, apiVersion: 'x.io/v1', kind: 'Thing', resetFields: ['status'], ...more });

interface Thing extends ManagedObject {
  metadata: {
    name?: string;
    uid?: string;
    labels?: Record<string, string>;
    managedFields?: ManagedFieldsEntry[];
  } & Record<string, unknown>;
  spec?: Record<string, unknown>;
}

/** A store for one object, as the API server would keep it. */
class One {
  live: Thing | undefined;
  readonly manager: FieldManager;
  #clock = Date.parse('2026-01-01T00:00:00Z');

  constructor(manager = fieldManager()) {
    this.manager = manager;
  }

  #store(object: object, managedFields: ManagedFieldsEntry[] | undefined): this {
    const { managedFields: _, ...metadata } = (object as Thing).metadata ?? {};
    this.live = { ...object, metadata: { ...metadata, uid: 'u', ...(managedFields ? { managedFields } : {}) } };
    return this;
  }

  #now(): number {
    return (this.#clock += 1000);
  }

  update(manager: string, spec: Record<string, unknown>, metadata: object = this.live?.metadata ?? {}): this {
    const next = { apiVersion: 'x.io/v1', kind: 'Thing', metadata, spec };
    return this.#store(next, this.manager.update(this.live, next, { manager, nowMs: this.#now() }));
  }

  apply(
    manager: string,
    spec: Record<string, unknown>,
    options: Partial<ApplyOptions> = {},
    metadata: object = { name: 'x' },
  ): this {
    const applied = { apiVersion: 'x.io/v1', kind: 'Thing', metadata, spec };
    const { object, managedFields } = this.manager.apply(this.live, applied, {
      manager,
      force: false,
      nowMs: this.#now(),
      ...options,
    });
    return this.#store(object, managedFields);
  }

  /** Who owns what, for one line of a table. */
  owners(): Record<string, unknown> {
    return Object.fromEntries(
      (this.live?.metadata.managedFields ?? []).map((entry) => [`${entry.manager} ${entry.operation}`, entry.fieldsV1]),
    );
  }
}

const fields = (...names: string[]): object => Object.fromEntries(names.map((name) => [`f:${name}`, {}]));

test('an update owns what it adds and changes', () => {
  const one = new One().update('a', { a: '1', b: '1' });
  const zero = { 'f:zero': { '.': {}, 'f:x': {} } };
  assert.deepEqual(one.owners(), { 'a Update': { 'f:spec': { '.': {}, ...fields('a', 'b'), ...zero } } });
  one.update('b', { a: '2', b: '1' });
  assert.deepEqual((one.owners()['b Update'] as any)['f:spec'], fields('a'));
  assert.ok(!Object.hasOwn((one.owners()['a Update'] as any)['f:spec'], 'f:a'));
  one.update('c', { a: '2' });
  assert.deepEqual(Object.keys(one.owners()), ['a Update', 'b Update'], 'who only removes owns nothing');
  assert.ok(!Object.hasOwn((one.owners()['a Update'] as any)['f:spec'], 'f:b'), 'what is gone belongs to nobody');
});

test('an update that changes nothing keeps the list as it is', () => {
  const one = new One().update('a', { a: '1', ports: [{ port: 1 }] });
  const before = one.live?.metadata.managedFields;
  const next = structuredClone(one.live) as Thing;
  assert.equal(one.manager.update(one.live, next, { manager: 'b', nowMs: 0 }), before);
  delete next.metadata.managedFields;
  assert.equal(one.manager.update(one.live, next, { manager: 'b', nowMs: 0 }), before, 'without managedFields too');
});

test('who writes the same fields of several objects owns one set of them', () => {
  const manager = fieldManager();
  const made = (name: string, spec: Record<string, unknown>, by = 'me'): unknown =>
    manager.update(undefined, { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { name }, spec } as Thing, {
      manager: by,
      nowMs: 0,
    })?.[0]?.fieldsV1;
  const first = made('a', { size: 1 });
  assert.equal(made('b', { size: 2 }), first);
  assert.notEqual(made('c', { size: 1, other: 1 }), first);
  assert.equal(made('d', { size: 3 }), first);
  assert.deepEqual(made('e', { size: 1 }, 'another'), first);
});

test('managedFields in an update', () => {
  const mine = [
    {
      manager: 'm',
      operation: 'Apply',
      apiVersion: 'x.io/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:a': {} } },
    },
  ];
  const table: [string, unknown, string[]][] = [
    ['[] clears', [], []],
    ['[{}] clears', [{}], []],
    ['null keeps', null, ['a Update']],
    ['a list replaces', mine, ['m Apply']],
    ['a broken list is ignored', [{ ...mine[0], fieldsV1: { 'f:a': 1 } }], ['a Update']],
    ['an unknown form is ignored', [{ ...mine[0], fieldsType: 'FieldsV2' }], ['a Update']],
  ];
  for (const [name, managedFields, want] of table) {
    const one = new One().update('a', { a: '1' });
    one.update('b', { a: '1' }, { ...one.live?.metadata, managedFields });
    assert.deepEqual(Object.keys(one.owners()), want, name);
  }
  const cleared = new One()
    .update('a', { a: '1' })
    .update('b', { a: '1' }, { uid: 'u', managedFields: [] })
    .update('c', { a: '2' });
  assert.deepEqual(cleared.owners(), {}, 'an update does not begin to track');
});

test('writers of a subresource have no say in managedFields', () => {
  const one = new One().update('a', { a: '1' });
  const status = fieldManager({ subresource: 'status', resetFields: ['spec'] });
  const next = {
    ...one.live,
    status: { x: '1' },
    spec: { a: '2' },
    metadata: { ...one.live?.metadata, managedFields: [] },
  } as unknown as Thing;
  const entries = status.update(one.live, next, { manager: 'k', nowMs: 0 });
  assert.deepEqual(
    entries?.map(({ manager, subresource }) => [manager, subresource]),
    [
      ['k', 'status'],
      ['a', undefined],
    ],
  );
  assert.deepEqual(entries?.[0]?.fieldsV1, { 'f:status': { '.': {}, 'f:x': {} } });
});

test('an applier owns what it applies, and conflicts over the rest', () => {
  const one = new One().apply('a', { a: '1', n: 1 });
  assert.deepEqual(one.owners(), { 'a Apply': { 'f:spec': fields('a', 'n') } });
  assert.throws(() => one.apply('b', { a: '2', n: 2 }), {
    code: 409,
    message: 'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.a\n- .spec.n',
  });
  one.apply('b', { a: '1' });
  assert.deepEqual(
    Object.keys(one.owners()),
    ['b Apply', 'a Apply'],
    'the same value is shared; who changed nothing has no time',
  );
  one.apply('b', { a: '2' }, { force: true });
  assert.deepEqual(one.owners(), { 'a Apply': { 'f:spec': fields('n') }, 'b Apply': { 'f:spec': fields('a') } });
  one.apply('b', { b: '1' });
  assert.deepEqual(one.live?.spec, { n: 1, b: '1' }, 'what is no longer applied goes');
  one.apply('b', {});
  assert.deepEqual(one.live?.spec, { n: 1 });
});

test('what others own survives', () => {
  const one = new One().apply(
    'a',
    { ports: [{ port: 1, name: 'x' }, { port: 2 }], set: ['p', 'q'] },
    {},
    { name: 'x', labels: { l: '1' } },
  );
  one.apply('b', { ports: [{ port: 1 }], set: ['q'] }, {}, { name: 'x', labels: { m: '1' } });
  one.apply('a', { ports: [{ port: 3 }] });
  assert.deepEqual(one.live?.spec, { ports: [{ port: 1 }, { port: 3 }], set: ['q'] });
  assert.deepEqual(one.live?.metadata.labels, { m: '1' });
});

test('lists', () => {
  const one = new One().apply('a', { ports: [{ port: 1 }, { port: 2 }, { port: 3 }] });
  one.apply('b', { ports: [{ port: 3, protocol: 'TCP' }, { port: 9 }, { port: 1 }] });
  assert.deepEqual(
    (one.live?.spec?.['ports'] as { port: number }[] | undefined)?.map(({ port }) => port),
    [2, 3, 9, 1],
    'the applier orders its own',
  );
  assert.throws(
    () => one.apply('c', { plain: ['x'] }).apply('d', { plain: ['y'] }),
    /conflict with "c": \.spec\.plain$/,
  );
  assert.throws(
    () => one.apply('c', { one: { port: 1 } }).apply('d', { one: { name: 'y' } }),
    /conflict with "c": \.spec\.one$/,
  );
  assert.throws(
    () => one.apply('c', { free: { m: { x: 1 }, l: [1] } }).apply('d', { free: { m: { y: 1 }, l: [2] } }),
    /conflict with "c": \.spec\.free\.l$/,
  );
});

test('items that leave out some of their keys are told from others by the rest', () => {
  const one = new One().apply('a', {
    devices: [
      { name: 'd', state: 'x' },
      { name: 'd', share: 's' },
    ],
  });
  one.apply('b', { devices: [{ share: 's' }] });
  one.apply('a', {
    devices: [
      { name: 'd', share: 's' },
      { name: 'd', state: 'y' },
    ],
  });
  assert.deepEqual(one.live?.spec, {
    devices: [{ name: 'd', share: 's' }, { share: 's' }, { name: 'd', state: 'y' }],
  });
  const owned = one.owners()['b Apply'] as { 'f:spec': { 'f:devices': object } };
  assert.deepEqual(Object.keys(owned['f:spec']['f:devices']), ['k:{"share":"s"}']);
});

test('objects that do not fit their type', () => {
  const table: [Record<string, unknown>, string][] = [
    [{ z: 1 }, '.spec.z: field not declared in schema'],
    [{ a: 5 }, '.spec.a: expected string, got &value.valueUnstructured{Value:5}'],
    [{ n: 'x' }, '.spec.n: expected numeric (int or float), got string'],
    [{ one: 'x' }, '.spec.one: expected map, got &{x}'],
    [{ set: 'x' }, '.spec.set: expected list, got &{x}'],
    [{ set: ['a', 'a'] }, '.spec.set: duplicate entries for key [="a"]'],
    [
      { ports: [{ port: 1 }, { port: 1, protocol: 'TCP' }] },
      '.spec.ports: duplicate entries for key [port=1,protocol="TCP"]',
    ],
    [
      { devices: [{ state: 'x' }] },
      '.spec.devices: element 0: associative list with keys has an element that omits all key fields ["name" "share"] (and doesn\'t have default values for any key fields)',
    ],
    [{ ports: [null] }, '.spec.ports: element 0: associative list with keys may not have a null element'],
    [
      { z: 1, n: 'x' },
      'errors:\n  .spec.z: field not declared in schema\n  .spec.n: expected numeric (int or float), got string',
    ],
  ];
  for (const [spec, problem] of table) {
    assert.throws(() => new One().apply('a', spec), {
      code: 500,
      message: `failed to create typed patch object (/x; x.io/v1, Kind=Thing): ${problem}`,
    });
  }
  const manager = fieldManager();
  const options = { manager: 'a', force: false, nowMs: 0 };
  assert.throws(() => manager.apply(undefined, { apiVersion: 'v2', kind: 'Thing' }, options), {
    code: 400,
    message: 'invalid object type: /v2, Kind=Thing',
  });
  assert.throws(
    () => manager.apply(undefined, { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { managedFields: [] } }, options),
    { code: 400 },
  );
});

test('live objects whose list items lack their keys', () => {
  const one = new One().update('a', { a: '1' });
  assert.equal(one.update('b', { devices: [{ state: 'x' }] }).live?.metadata.managedFields, undefined);
  assert.throws(() => one.apply('c', { ports: [{ port: 1 }] }), {
    code: 500,
    message: /^failed to create typed live object \(\/; x\.io\/v1, Kind=Thing\): associative list/,
  });
});

test('nulls are owned, and leave granular parts alone', () => {
  const one = new One().update('a', { a: '1', plain: ['x'] }, { labels: { l: '1' } });
  one.apply('b', { a: null, plain: null }, { force: true }, { name: 'x', labels: null });
  assert.deepEqual(one.owners()['b Apply'], { 'f:metadata': fields('labels'), 'f:spec': fields('a', 'plain') });
  assert.deepEqual(one.live?.spec, { a: null, plain: null });
  assert.deepEqual(one.live?.metadata.labels, { l: '1' });
});

test('before-first-apply owns what was there', () => {
  const one = new One().update('a', { a: '1' }, { uid: 'u' });
  one.live = { ...(one.live as Thing), metadata: { uid: 'u' } };
  assert.throws(() => one.apply('b', { a: '2' }), /conflict with "before-first-apply" using x\.io\/v1: \.spec\.a$/);
  one.apply('b', { b: '1' });
  assert.deepEqual(Object.keys(one.owners()), ['b Apply', 'before-first-apply Update']);
});

test('an apply that changes nothing says so and keeps its time', () => {
  const one = new One().apply('a', { a: '1' });
  const time = one.live?.metadata.managedFields?.[0]?.time;
  const applied = { apiVersion: 'x.io/v1', kind: 'Thing', metadata: { name: 'x' }, spec: { a: '1', zero: {} } };
  const result = one.manager.apply(one.live, applied, { manager: 'a', force: false, nowMs: 9e12 });
  assert.equal(result.changed, false, 'a field that is on the wire anyway is no change');
  assert.equal(result.managedFields?.[0]?.time, time);
});

test('the eleventh updater folds the oldest', () => {
  const one = new One();
  const spec: Record<string, string> = {};
  for (let i = 1; i <= 12; i++) {
    spec[`k${i}`] = '1';
    one.update(`m${i}`, { free: { ...spec } }, one.live?.metadata ?? {});
  }
  assert.deepEqual(
    Object.keys(one.owners()).map((owner) => owner.split(' ')[0]),
    ['ancient-changes', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9', 'm10', 'm11', 'm12'],
  );
  assert.deepEqual(Object.keys((one.owners()['ancient-changes Update'] as any)['f:spec']['f:free']), [
    '.',
    'f:k1',
    'f:k2',
    'f:k3',
  ]);
});

test('kubectl may go from client-side to server-side apply', () => {
  const annotations = {
    'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
      apiVersion: 'x.io/v1',
      kind: 'Thing',
      spec: { a: '1' },
    }),
  };
  const one = new One().update('kubectl-client-side-apply', { a: '1', b: '1' }, { annotations });
  assert.throws(() => one.apply('other', { a: '2' }), { code: 409 });
  assert.throws(
    () => one.apply('kubectl', { a: '2', b: '2' }),
    /conflict with "kubectl-client-side-apply" using x\.io\/v1: \.spec\.b$/,
  );
  one.apply('kubectl', { a: '2' });
  assert.equal(one.live?.spec?.['a'], '2');
  const annotation = (one.live as any).metadata.annotations['kubectl.kubernetes.io/last-applied-configuration'];
  assert.equal(annotation, '{"apiVersion":"x.io/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"a":"2"}}\n');
});

test('owners of other versions', () => {
  const convert: FieldManagerOptions['convert'] = (object, apiVersion) =>
    apiVersion === 'x.io/v1' || apiVersion === 'x.io/v2' ? { object: { ...object, apiVersion }, type } : undefined;
  const v2 = { apiVersion: 'x.io/v2', kind: 'Thing', metadata: { name: 'x' }, spec: { a: '1', b: '1' } };
  const second = fieldManager({ apiVersion: 'x.io/v2', convert });
  const { object, managedFields } = second.apply(undefined, v2, { manager: 'a', force: false, nowMs: 0 });
  const one = new One(fieldManager({ convert }));
  one.live = { ...object, metadata: { name: 'x', uid: 'u', managedFields } } as Thing;
  assert.throws(() => one.apply('b', { a: '2' }), /conflict with "a": \.spec\.a$/);
  one.apply('b', { a: '2' }, { force: true }).apply('a', { a: '2' });
  assert.deepEqual(one.live?.spec, { a: '2' }, 'an applier that changes its version still gives up fields');
  const gone = [
    { manager: 'old', operation: 'Update', apiVersion: 'x.io/v0', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } },
  ];
  one.live = { ...(one.live as Thing), metadata: { uid: 'u', managedFields: gone } };
  assert.deepEqual(
    Object.keys(one.update('c', { a: '3' }).owners()),
    ['c Update'],
    'owners of unknown versions vanish',
  );
});

test('a part that became atomic is owned whole', () => {
  const entry = {
    manager: 'old',
    operation: 'Apply',
    apiVersion: 'x.io/v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:plain': { 'v:"x"': {} } } },
  };
  const one = new One().update('a', { plain: ['x'] });
  one.live = { ...(one.live as Thing), metadata: { uid: 'u', managedFields: [entry] } };
  assert.throws(() => one.apply('b', { plain: ['y'] }), /conflict with "old": \.spec\.plain$/);
});

test('scale has the owners of replicas, in its own version', () => {
  const options = { apiVersion: 'apps/v1', paths: { 'apps/v1': 'spec.replicas' } };
  const entry = (manager: string, operation: string, fieldsV1: object, more: object = {}): ManagedFieldsEntry => ({
    manager,
    operation,
    apiVersion: 'apps/v1',
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...more,
  });
  const replicas = { 'f:spec': { 'f:replicas': {} } };
  const parent = [
    entry('a', 'Apply', { 'f:spec': { 'f:replicas': {}, 'f:x': {} } }),
    entry('b', 'Update', { 'f:spec': { 'f:x': {} } }),
  ];
  const scale = scaleManagedFields(parent, options);
  assert.deepEqual(scale, [entry('a', 'Apply', replicas, { apiVersion: 'autoscaling/v1' })]);
  assert.deepEqual(parentManagedFields(parent, scale, options), parent, 'nothing changed');
  const taken = [entry('s', 'Update', replicas, { apiVersion: 'autoscaling/v1', subresource: 'scale' })];
  const after = parentManagedFields(parent, taken, options);
  assert.deepEqual(
    after?.map((e) => [e.manager, e.apiVersion, e.subresource, e.fieldsV1]),
    [
      ['a', 'apps/v1', undefined, { 'f:spec': { 'f:x': {} } }],
      ['s', 'apps/v1', 'scale', replicas],
      ['b', 'apps/v1', undefined, { 'f:spec': { 'f:x': {} } }],
    ],
  );
});

test('who a request comes from', () => {
  const table: [string | undefined, string | undefined, string][] = [
    ['me', 'curl/8', 'me'],
    ['', 'kubectl/v1.36 (linux)', 'kubectl'],
    [undefined, 'a\tb c/1', 'ab c'],
    [undefined, undefined, 'unknown'],
    [undefined, '/x', 'unknown'],
    [undefined, 'é'.repeat(200), 'é'.repeat(64)],
  ];
  for (const [fieldManager, userAgent, want] of table) assert.equal(managerOf(fieldManager, userAgent), want);
});

test('lists that differ in times alone', () => {
  const entry = { manager: 'a', operation: 'Update', fieldsV1: { 'f:a': {} }, time: '1' };
  assert.ok(sameButForTimes([entry], [{ ...entry, time: '2' }]) && sameButForTimes(undefined, undefined));
  assert.ok(!sameButForTimes([entry], [{ ...entry, manager: 'b' }]) && !sameButForTimes([entry], []));
});
