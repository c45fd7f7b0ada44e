import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonEqual } from './json-equal.ts';

test('equal values', () => {
  const pairs: [unknown, unknown][] = [
    [1, 1],
    [1n, 1],
    [2n ** 60n, 2n ** 60n],
    ['a', 'a'],
    [null, null],
    [[], []],
    [
      [1, { a: 1 }],
      [1, { a: 1 }],
    ],
    [
      { a: 1, b: null },
      { b: null, a: 1 },
    ],
    [{ __proto__: null, a: 1 }, { a: 1 }],
  ];
  for (const [i, [a, b]] of pairs.entries()) assert.ok(jsonEqual(a, b) && jsonEqual(b, a), `pair ${i}`);
});

test('different values', () => {
  const pairs: [unknown, unknown][] = [
    [1, 2],
    [1n, 2],
    [1n, '1'],
    [1.5, 1n],
    ['a', 'b'],
    [null, undefined],
    [null, {}],
    [[], {}],
    [[1], [1, 2]],
    [{ a: 1 }, {}],
    [{ a: null }, {}],
    [{ a: undefined }, { b: undefined }],
    [{}, { toString: 1 }],
    [{ toString: undefined }, {}],
  ];
  for (const [i, [a, b]] of pairs.entries()) assert.ok(!jsonEqual(a, b) && !jsonEqual(b, a), `pair ${i}`);
});
