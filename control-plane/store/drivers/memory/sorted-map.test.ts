import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { compareKeys, prefixEnd } from '../../keys.ts';
import { SortedMap } from './sorted-map.ts';

const all = <V>(map: SortedMap<V>, from = '') => {
  const found: [string, V][] = [];
  map.walk(from, (value, key) => found.push([key, value]) > 0);
  return found;
};

describe('sorted map', () => {
  for (const letters of ['ab', 'abcdefgh/', 'é中\ufb01\u{1f600}~']) {
    it(`agrees with a plain map over random changes (${letters})`, () => {
      const random = new SeededRandom(letters);
      const alphabet = [...letters];
      const map = SortedMap.empty<number>();
      const model = new Map<string, number>();
      const forks: { fork: SortedMap<number>; state: [string, number][] }[] = [];
      const sorted = () => [...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (let step = 0; step < 20_000; step++) {
        const length = 1 + random.int(letters.length === 2 ? 12 : 5);
        const key = Array.from({ length }, () => alphabet[random.int(alphabet.length)]).join('');
        // Grows for a while, then shrinks, so that nodes split and merge.
        if (random.next() < (step % 8000 < 4000 ? 0.75 : 0.2)) {
          map.set(key, step);
          model.set(key, step);
        } else assert.equal(map.delete(key), model.delete(key));
        assert.equal(map.size, model.size);
        if (step % 1000 === 0) forks.push({ fork: map.fork(), state: sorted() });
        if (step % 500 === 0) {
          const expected = sorted();
          assert.deepEqual(all(map), expected);
          assert.deepEqual(
            all(map, key),
            expected.filter(([other]) => compareKeys(other, key) >= 0),
          );
          assert.equal(map.rank(key), expected.filter(([other]) => compareKeys(other, key) < 0).length);
          assert.equal(map.get(key), model.get(key));
        }
      }
      for (const { fork, state } of forks) assert.deepEqual(all(fork), state);
    });
  }

  it('lets both sides of a fork go their own way', () => {
    const left = SortedMap.empty<string>();
    for (let i = 0; i < 1000; i++) left.set(String(i), 'both');
    const right = left.fork();
    for (let i = 0; i < 1000; i += 2) left.set(String(i), 'left');
    for (let i = 1; i < 1000; i += 2) right.delete(String(i));
    assert.equal(left.size, 1000);
    assert.equal(right.size, 500);
    assert.equal(left.get('10'), 'left');
    assert.equal(right.get('10'), 'both');
    assert.equal(left.get('11'), 'both');
    assert.equal(right.get('11'), undefined);
  });
});

describe('keys', () => {
  it('are compared by their UTF-8 bytes', () => {
    const keys = [
      '',
      'a',
      'a/',
      'ab',
      'é',
      '中',
      '\ud7ff',
      '\ue000',
      '\ufb01',
      '\uffff',
      '\u{10000}',
      '\u{1f600}',
      'x\ufb01',
      'x\u{1f600}',
    ];
    for (const a of keys) {
      for (const b of keys) {
        assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)), `${a} ${b}`);
      }
    }
  });

  const ends: [string, string | undefined][] = [
    ['/a/', '/a0'],
    ['', undefined],
    ['/\u{10ffff}', '0'],
    ['\u{10ffff}\u{10ffff}', undefined],
    ['\ud7ff', '\ue000'],
    ['a\u{1f600}', 'a\u{1f601}'],
  ];
  for (const [prefix, end] of ends) {
    it(`end after those with the prefix ${JSON.stringify(prefix)} at ${JSON.stringify(end)}`, () => {
      assert.equal(prefixEnd(prefix), end);
    });
  }
});
