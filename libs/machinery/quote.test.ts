import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bare, compareBytes, float, goTypeOf, json, jsonTypeOf, quote, sortedJson } from './quote.ts';

test('quoted strings', () => {
  const table: [string, string][] = [
    ['a', '"a"'],
    ['a"b\\', '"a\\"b\\\\"'],
    ['\x07\n\t', '"\\a\\n\\t"'],
    ['\x00\x7f', '"\\x00\\x7f"'],
    ['Świat', '"Świat"'],
    ['\u200b', '"\\u200b"'],
    ['\u{e0001}', '"\\U000e0001"'],
    ['😀', '"😀"'],
    ['\u00a0', '"\\u00a0"'],
    ['\ud800', '"\ufffd"'],
  ];
  for (const [text, want] of table) assert.equal(quote(text), want);
});

test('JSON in messages', () => {
  assert.equal(
    json({ b: 1, a: ['<x>', null, 2n ** 60n], u: undefined }),
    '{"b":1,"a":["\\u003cx\\u003e",null,1152921504606846976]}',
  );
  assert.equal(sortedJson({ b: { d: 1, c: 2 }, a: '&' }), '{"a":"\\u0026","b":{"c":2,"d":1}}');
});

test('numbers and bare values', () => {
  const table: [number, string][] = [
    [1.5, '1.5'],
    [1e21, '1e+21'],
    [1e20, '100000000000000000000'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [3, '3'],
  ];
  for (const [value, want] of table) assert.equal(float(value), want);
  assert.equal(float(1e6, 6), '1e+06');
  assert.equal(bare({ spec: { replicas: 'x', a: [1, null, true] } }), 'map[spec:map[a:[1 <nil> true] replicas:x]]');
});

test('byte order', () => {
  assert.deepEqual(['😀', '\uffff', 'b', 'a', 'ab'].sort(compareBytes), ['a', 'ab', 'b', '\uffff', '😀']);
});

test('types in messages', () => {
  const table: [unknown, string, string][] = [
    [null, '<nil>', 'null'],
    [[], '[]interface {}', 'array'],
    [{}, 'map[string]interface {}', 'object'],
    ['', 'string', 'string'],
    [1, 'int64', 'number'],
    [1.5, 'float64', 'number'],
    [1n, 'int64', 'number'],
    [true, 'bool', 'bool'],
  ];
  for (const [value, go, json] of table) assert.deepEqual([goTypeOf(value), jsonTypeOf(value)], [go, json]);
});
