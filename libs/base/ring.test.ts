import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Linked, Ring } from './ring.ts';

class Named extends Linked {
  readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
  }
}

describe('a ring', () => {
  const names = (ring: Ring<Named>) => ring.all().map(({ name }) => name);
  const filled = (): [Ring<Named>, Named[]] => {
    const ring = new Ring<Named>();
    const all = ['a', 'b', 'c'].map((name) => new Named(name));
    for (const one of all) ring.add(one);
    return [ring, all];
  };

  test('keeps what came in its order', () => {
    const [ring] = filled();
    assert.deepEqual([names(ring), ring.first?.name, ring.size], [['a', 'b', 'c'], 'a', 3]);
  });

  for (const [gone, left] of [
    [[0], ['b', 'c']],
    [[1], ['a', 'c']],
    [[2], ['a', 'b']],
    [[0, 2, 1], []],
  ] as const) {
    test(`without the ones at ${gone}, which go twice`, () => {
      const [ring, all] = filled();
      for (const i of [...gone, ...gone]) ring.remove(all[i] as Named);
      assert.deepEqual([names(ring), ring.first?.name, ring.size], [left, left[0], left.length]);
    });
  }

  test('takes again what has gone', () => {
    const [ring, all] = filled();
    ring.remove(all[0] as Named);
    ring.add(all[0] as Named);
    assert.deepEqual(names(ring), ['b', 'c', 'a']);
  });
});
