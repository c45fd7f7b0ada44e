import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyValue } from './copy.ts';

test('a copy is equal, and shares nothing', () => {
  const frozen = Object.freeze({
    a: Object.freeze([1, 'b', null, 5n]),
    b: Object.freeze({ c: undefined, d: new Uint8Array([1]) }),
  });
  const copy = copyValue(frozen);
  assert.deepEqual(copy, frozen);
  assert.notEqual(copy.a, frozen.a);
  assert.notEqual(copy.b.d, frozen.b.d);
  (copy.b as { c: unknown }).c = 1;
});

test('a key may have any name', () => {
  const copy = copyValue(JSON.parse('{"__proto__":{"x":1},"constructor":2}'));
  assert.equal(JSON.stringify(copy), '{"__proto__":{"x":1},"constructor":2}');
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
});
