import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonOfValue, typedValue, valueOfJson } from './json.ts';
import { INT, listOf, type ObjectType, STRING } from './types.ts';
import { ObjectValue } from './values.ts';

test('there and back', () => {
  const value = { text: 'x', whole: 3, part: 1.5, none: null, list: [1, 'a', { deep: true }], empty: {} };
  assert.deepEqual(jsonOfValue(valueOfJson(value)), value);
});

test('whole numbers are ints, and large ones stay whole', () => {
  assert.equal(valueOfJson(3), 3n);
  assert.equal(valueOfJson(1.5), 1.5);
  assert.equal(jsonOfValue(9007199254740993n), 9007199254740993n);
});

test('objects of a type know their fields, and which are there', () => {
  const type: ObjectType = {
    k: 'object',
    name: 'T',
    fields: new Map([
      ['names', { name: 'names', type: listOf(STRING) }],
      ['count', { name: 'count', type: INT }],
    ]),
  };
  const value = typedValue(type, { names: ['a'], other: 1 });
  assert.ok(value instanceof ObjectValue);
  assert.equal(value.has('names'), true);
  assert.equal(value.has('count'), false);
  assert.equal(value.get('other'), undefined);
});
