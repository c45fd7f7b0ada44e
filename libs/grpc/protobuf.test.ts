import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtobufError, ProtobufSchema } from './protobuf.ts';

const schema = new ProtobufSchema({
  enums: { Color: { RED: 0, GREEN: 1 } },
  messages: {
    Leaf: '1 value int64',
    All:
      '1 text string;2 flag bool;3 raw bytes;4 i32 int32;5 u32 uint32;6 i64 int64;7 u64 uint64;8 real double;9 at nanos;' +
      '10 color Color;11 leaf Leaf;12 texts string[];13 numbers int64[];14 leaves Leaf[];15 labels map<string,string>;' +
      '16 byName map<string,Leaf>;2000 far bool;17 colors Color[]',
    Small: '1 text string',
    Nested: '1 next Nested',
  },
});

const EMPTY = {
  text: '',
  flag: false,
  raw: new Uint8Array(0),
  i32: 0,
  u32: 0,
  i64: 0,
  u64: 0,
  real: 0,
  at: 0n,
  color: 'RED',
  texts: [],
  numbers: [],
  leaves: [],
  labels: {},
  byName: {},
  far: false,
  colors: [],
};
const leaf = (value: number) => ({ value });

test('values of every type come back equal', () => {
  const cases: [string, object][] = [
    ['nothing', {}],
    ['text beyond ASCII', { text: 'Grüße 👋', texts: ['', 'ß'] }],
    ['long text', { text: 'x'.repeat(70_000), texts: ['y'.repeat(128), 'z'.repeat(127)] }],
    ['bytes', { raw: Uint8Array.of(0, 255, 128) }],
    ['signs', { i32: -1, i64: -5, u32: 4_294_967_295, real: -0.5 }],
    ['the ends of 32 bits', { i32: -2_147_483_648, u32: 2_147_483_648 }],
    ['the ends of 53 bits', { i64: -9_007_199_254_740_991, u64: 9_007_199_254_740_991 }],
    ['nanoseconds', { at: 1_767_225_600_123_456_789n }],
    ['nanoseconds before 1970', { at: -1n }],
    ['an enum', { color: 'GREEN', colors: ['RED', 'GREEN'] }],
    ['messages', { leaf: leaf(7), leaves: [leaf(0), leaf(1)] }],
    ['an empty message is not the same as none', { leaf: leaf(0) }],
    ['lists of numbers', { numbers: [0, 1, -1, 1e12] }],
    ['maps', { labels: { a: 'b', '': '', constructor: 'x', __proto__x: 'y' }, byName: { a: leaf(1) } }],
    ['a far field', { far: true }],
  ];
  for (const [name, value] of cases) {
    assert.deepEqual(schema.decode('All', schema.encode('All', value)), { ...EMPTY, ...value }, name);
  }
});

test('bytes on the wire are those of proto3', () => {
  const hex = (value: object) => Buffer.from(schema.encode('All', value)).toString('hex');
  assert.equal(hex({ text: 'ab', flag: true, i32: 150 }), '0a026162' + '1001' + '209601');
  assert.equal(hex({ i32: -1 }), '20ffffffffffffffffff01');
  assert.equal(hex({ numbers: [1, 300] }), '6a0301ac02');
  assert.equal(hex({ labels: { k: 'v' } }), '7a060a016b120176');
  assert.equal(hex({ real: 1 }), '41000000000000f03f');
  assert.equal(hex({ text: '', flag: false, i32: 0, color: 'RED', texts: [], labels: {} }), '');
});

test('unknown fields are skipped, unpacked lists and unknown enum values are read', () => {
  const unpacked = Uint8Array.of(0x68, 1, 0x68, 2);
  assert.deepEqual((schema.decode('All', unpacked) as { numbers: number[] }).numbers, [1, 2]);
  const all = schema.encode('All', {
    text: 'kept',
    flag: true,
    raw: Uint8Array.of(1),
    real: 2,
    leaf: leaf(3),
    labels: { a: 'b' },
  });
  assert.deepEqual(schema.decode('Small', all), { text: 'kept' });
  assert.equal((schema.decode('All', Uint8Array.of(0x50, 9)) as { color: string }).color, '9');
  assert.equal(Buffer.from(schema.encode('All', { color: '9' })).toString('hex'), '5009');
});

test('counters beyond 2^53 are rounded, keys named __proto__ stay keys', () => {
  const max = Uint8Array.of(0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1);
  assert.equal((schema.decode('All', max) as { u64: number }).u64, 2 ** 64);
  const { labels } = schema.decode('All', schema.encode('All', { labels: JSON.parse('{"__proto__":"x"}') })) as {
    labels: object;
  };
  assert.deepEqual(Object.entries(labels), [['__proto__', 'x']]);
});

test('what is shared cannot be changed', () => {
  const { texts, labels } = schema.decode('All', new Uint8Array(0)) as {
    texts: string[];
    labels: Record<string, string>;
  };
  assert.throws(() => texts.push('x'));
  assert.throws(() => (labels['a'] = 'b'));
});

test('broken wires are errors', () => {
  const cases: [string, number[], RegExp][] = [
    ['a cut number', [0x20, 0x80], /cut short/],
    ['a cut text', [0x0a, 5, 65], /cut short/],
    ['a number without an end', [0x20, ...Array(11).fill(0x80)], /too long/],
    ['a text where a number belongs', [0x22, 1, 65], /wire type/],
    ['a group', [0x0b], /wire type/],
    ['a field beyond its message', [0x5a, 2, 8, 0x80, 1], /beyond/],
    ['a length beyond everything', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], /cut short/],
  ];
  for (const [name, wire, message] of cases) {
    assert.throws(
      () => schema.decode('All', Uint8Array.from(wire)),
      (e) => e instanceof ProtobufError && message.test(e.message),
      name,
    );
  }
  let deep: object = {};
  for (let i = 0; i < 100; i++) deep = { next: deep };
  assert.throws(() => schema.decode('Nested', schema.encode('Nested', deep)), /deep/);
});

test('a wrong value is an error that names its place', () => {
  const cases: [object, RegExp][] = [
    [{ text: 1 }, /^All.text: a string/],
    [{ leaves: [{ value: 'x' }] }, /^All.leaves.value: a whole number/],
    [{ labels: { a: 1 } }, /^All.labels\["a"\]: a string/],
    [{ color: 'BLUE' }, /^All.color: "BLUE"/],
    [{ texts: 'a' }, /^All.texts: a list/],
    [{ raw: 'text' }, /^All.raw: bytes/],
    [{ i64: 0.5 }, /^All.i64: a whole number/],
  ];
  for (const [value, message] of cases)
    assert.throws(
      () => schema.encode('All', value),
      (e) => e instanceof ProtobufError && message.test(e.message),
      JSON.stringify(value),
    );
});
