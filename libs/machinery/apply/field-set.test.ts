import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  difference,
  emptySet,
  type FieldSet,
  hasPath,
  intersection,
  isEmpty,
  isMember,
  pathsOf,
  pathText,
  readFieldSet,
  recursiveDifference,
  SetBuilder,
  sameSet,
  setOf,
  sortedSet,
  union,
} from './field-set.ts';

const [f, g, h] = ['f:f', 'f:g', 'f:h'] as const;
const item = 'k:{"name":"a"}';
const show = (set: FieldSet): string => pathsOf(set).map(pathText).join(' ');

test('sets are made, printed and searched', () => {
  const set = setOf([f, item], [f, item, g], ['v:"x"'], ['i:2'], [h]);
  assert.equal(
    JSON.stringify(set),
    '{"f:f":{"k:{\\"name\\":\\"a\\"}":{".":{},"f:g":{}}},"f:h":{},"v:\\"x\\"":{},"i:2":{}}',
  );
  assert.equal(show(set), '.h [="x"] [2] .f[name="a"] .f[name="a"].g');
  assert.ok(hasPath(set, [f, item]) && hasPath(set, [f, item, g]) && !hasPath(set, [f]) && !hasPath(set, [g]));
  assert.ok(isMember(set['f:h'] as FieldSet) && !isMember(set['f:f'] as FieldSet) && isEmpty({}));
});

test('elements are ordered by kind, then by value', () => {
  const elements = ['f:a', 'f:b', 'k:{"port":80}', 'k:{"port":443}', 'v:9', 'v:10', 'v:"a"', 'v:true', 'i:2', 'i:10'];
  const shuffled = Object.fromEntries([...elements].reverse().map((element) => [element, {}]));
  assert.deepEqual(Object.keys(sortedSet(shuffled)), elements);
  const sorted = sortedSet(shuffled);
  assert.equal(sortedSet(sorted), sorted, 'sorted sets are kept');
});

test('algebra', () => {
  const a = setOf([f], [f, g], [g, h], [h]);
  const table: [string, FieldSet, FieldSet, string, string, string, string][] = [
    ['apart', a, setOf(['f:z']), '.f .h .z .f.g .g.h', '.f .h .f.g .g.h', '', '.f .h .f.g .g.h'],
    ['same', a, a, '.f .h .f.g .g.h', '', '.f .h .f.g .g.h', ''],
    ['parent of a child', a, setOf([f], [g]), '.f .g .h .f.g .g.h', '.h .f.g .g.h', '.f', '.h'],
    ['child of a leaf', a, setOf([h, f], [f, g]), '.f .h .f.g .g.h .h.f', '.f .h .g.h', '.f.g', '.f .h .g.h'],
  ];
  for (const [name, x, y, both, minus, common, below] of table) {
    assert.equal(show(union(x, y)), both, `${name}: union`);
    assert.equal(show(difference(x, y)), minus, `${name}: difference`);
    assert.equal(show(intersection(x, y)), common, `${name}: intersection`);
    assert.equal(show(recursiveDifference(x, y)), below, `${name}: recursive difference`);
  }
  assert.equal(union(a, setOf([f])), a, 'nothing new, nothing made');
  assert.equal(difference(a, setOf(['f:z'])), a);
  assert.ok(sameSet(a, setOf([h], [g, h], [f, g], [f])) && !sameSet(a, setOf([f])));
});

test('a leaf that gets children stays a member, and what is put in is not changed', () => {
  const shared = setOf([g, h]);
  const builder = new SetBuilder();
  builder.add([f], emptySet);
  builder.add([f, g], emptySet);
  builder.add([h], shared);
  builder.add([h, f], emptySet);
  assert.equal(show(builder.finish()), '.f .f.g .h.f .h.g.h');
  assert.equal(show(shared), '.g.h');
});

test('sets from clients are checked and put in order', () => {
  const sent = { 'f:b': {}, 'f:a': { 'k:{ "b":1, "a":"<" }': { '.': {} } }, 'x:later': {} };
  assert.equal(JSON.stringify(readFieldSet(sent)), '{"f:a":{"k:{\\"a\\":\\"\\\\u003c\\",\\"b\\":1}":{}},"f:b":{}}');
  for (const wrong of [null, 'x', [], { 'f:a': 1 }, { 'k:x': {} }, { 'k:[]': {} }, { 'v:{': {} }]) {
    assert.equal(readFieldSet(wrong), undefined, JSON.stringify(wrong));
  }
});
