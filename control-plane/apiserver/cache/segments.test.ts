import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom } from '../../../libs/base/random.ts';
import type { CachedObject } from './cached-object.ts';
import { countOf, JoinBudget, OrderedObjects, objectsOf } from './segments.ts';

const object = (key: string, revision: number): CachedObject => ({ key, revision }) as CachedObject;
const shown = (all: readonly CachedObject[]) => all.map(({ key, revision }) => `${key}@${revision}`);

describe('ordered objects', () => {
  it('are the same as a sorted map, whatever is written in whichever order', () => {
    const random = new SeededRandom('segments');
    const objects = new OrderedObjects(new JoinBudget(0));
    const expected = new Map<string, number>();
    for (let revision = 1; revision <= 8000; revision++) {
      const key = `/a/${String(random.int(2000)).padStart(4, '0')}`;
      // Few at the beginning are deleted, many at the end: segments are split, and joined again.
      if (random.int(8000) < revision - 2000) {
        objects.delete(key);
        expected.delete(key);
      } else {
        objects.set(object(key, revision));
        expected.set(key, revision);
      }
      if (revision % 400 > 0) continue;
      const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, at]) => `${key}@${at}`);
      assert.deepEqual(shown(objectsOf(objects.slices('/a/'))), sorted);
      assert.equal(objects.size, sorted.length);
    }
  });

  it('stay as they were for a reader that took them', () => {
    const objects = new OrderedObjects(new JoinBudget(0));
    for (let i = 0; i < 100; i++) objects.set(object(`/a/${i + 100}`, i));
    const taken = objects.slices('/a/');
    const before = shown(objectsOf(taken));
    objects.set(object('/a/150', 1000));
    objects.set(object('/a/0', 1001));
    objects.set(object('/a/999', 1002));
    objects.delete('/a/101');
    assert.deepEqual(shown(objectsOf(taken)), before);
    assert.equal(countOf(taken), 100);
    assert.equal(countOf(objects.slices('/a/')), 101);
  });
});
