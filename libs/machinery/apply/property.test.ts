/** Random histories of updates and applies, checked for what must always hold. A failure prints the seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.ts';
import { jsonEqual } from '../json-equal.ts';
import type { SchemaSet, TypeRef } from '../schema/ir.ts';
import { compare } from './compare.ts';
import { FieldManager } from './field-manager.ts';
import { difference, type FieldSet, isEmpty, pathsOf, pathText, readFieldSet, sortedSet, union } from './field-set.ts';
import { itemElement, Structures } from './structure.ts';
import { fieldSetOf } from './typed.ts';

const string: TypeRef = { k: 'string' };
const item = {
  name: 'Item',
  fields: [
    { name: 'key', type: string },
    { name: 'a', type: string },
    { name: 'l', type: { k: 'list', of: string }, listType: 'set' },
  ],
} as const;
const spec = {
  name: 'Spec',
  fields: [
    { name: 'a', type: string },
    { name: 'set', type: { k: 'list', of: string }, listType: 'set' },
    { name: 'items', type: { k: 'list', of: { k: 'struct', type: item } }, listType: 'map', listMapKeys: ['key'] },
    { name: 'plain', type: { k: 'list', of: string }, listType: 'atomic' },
    { name: 'map', type: { k: 'map', of: string } },
    { name: 'free', type: { k: 'any' } },
    {
      name: 'zero',
      type: {
        k: 'struct',
        type: {
          name: 'Z',
          fields: [
            { name: 'z', type: string, zero: '' },
            { name: 'y', type: string },
          ],
        },
      },
      zero: {},
    },
  ],
} as const;
const type: TypeRef = {
  k: 'struct',
  type: {
    name: 'Root',
    fields: [
      { name: 'apiVersion', type: string },
      { name: 'kind', type: string },
      { name: 'metadata', type: { k: 'any' } },
      { name: 'spec', type: { k: 'struct', type: spec } },
    ],
  },
};
const structures = new Structures({
  names: [],
  has: () => false,
  get: (): never => {
    throw new Error('no names');
  },
} satisfies SchemaSet);
const node = structures.of(type);
const manager = new FieldManager({ structures, type, apiVersion: 'v1', kind: 'K' });

class Maker {
  readonly random: SeededRandom;
  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }
  #word(): string {
    return 'pqrs'[this.random.int(4)] as string;
  }
  #some(n: number): string[] {
    return ['p', 'q', 'r', 's'].filter(() => this.random.int(n) === 0);
  }
  #map(): Record<string, unknown> {
    return Object.fromEntries(this.#some(2).map((key) => [key, this.#word()]));
  }
  #shuffled<T>(list: T[]): T[] {
    return list
      .map((value) => ({ value, at: this.random.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ value }) => value);
  }
  object(): { apiVersion: string; kind: string; metadata: Record<string, unknown>; spec: Record<string, unknown> } {
    const parts: Record<string, () => unknown> = {
      a: () => this.#word(),
      set: () => this.#shuffled(this.#some(2)),
      items: () =>
        this.#shuffled(this.#some(2)).map((key) => ({
          key,
          ...(this.random.int(2) ? { a: this.#word() } : {}),
          ...(this.random.int(3) ? {} : { l: this.#some(2) }),
        })),
      plain: () => this.#some(2),
      map: () => this.#map(),
      free: () => ({ m: this.#map(), l: this.#some(2), ...(this.random.int(2) ? { n: { deep: this.#map() } } : {}) }),
      zero: () => (this.random.int(2) ? {} : { y: this.#word() }),
    };
    // Nobody owns an empty list of items, so that it comes and goes; decoding drops it anyway.
    const chosen = Object.entries(parts)
      .filter(() => this.random.int(2) === 0)
      .map(([name, make]) => [name, make()] as const)
      .filter(([, value]) => !Array.isArray(value) || value.length > 0);
    return {
      apiVersion: 'v1',
      kind: 'K',
      metadata: { name: 'x', labels: this.#map() },
      spec: Object.fromEntries(chosen),
    };
  }
}

/** Whether the object has something at a path of a set. */
function has(at: any, path: readonly string[], from: any = node): boolean {
  const [element, ...rest] = path;
  if (element === undefined) return at !== undefined;
  if (element.startsWith('f:')) {
    const name = element.slice(2);
    const field = from?.fields?.get(name);
    const value = at !== null && typeof at === 'object' && Object.hasOwn(at, name) ? at[name] : field?.zero;
    return value !== undefined && has(value, rest, field?.node ?? (from?.kind === 'map' ? from.of : undefined));
  }
  const found = Array.isArray(at) ? at.find((entry) => itemElement(from, entry) === element) : undefined;
  return found !== undefined && has(found, rest, from.of);
}

test('random histories', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const maker = new Maker(seed);
    let live: any;
    for (let step = 0; step < 8; step++) {
      const who = `m${maker.random.int(3)}`;
      const next = maker.object();
      const at = `seed ${seed}, step ${step}`;
      let object: any;
      let managedFields: any;
      if (maker.random.int(2) === 0) {
        object = next;
        managedFields = manager.update(live, next, { manager: who, nowMs: step * 1000 });
      } else {
        const options = { manager: who, force: true, nowMs: step * 1000 };
        ({ object, managedFields } = manager.apply(live, next, options));
        const set = fieldSetOf(node, next);
        for (const path of pathsOf(set))
          assert.ok(has(object, path), `${at}: what is applied is there: ${pathText(path)}`);
        const again = manager.apply({ ...object, metadata: { ...object.metadata, managedFields } }, next, {
          ...options,
          nowMs: 9e9,
        });
        assert.ok(!again.changed, `${at}: applied twice`);
        assert.deepEqual(again.managedFields, managedFields, `${at}: applied twice`);
      }
      const { managedFields: _, ...metadata } = object.metadata ?? {};
      live = { ...object, metadata: { ...metadata, uid: 'u', managedFields } };
      for (const entry of managedFields ?? []) {
        const fields = entry.fieldsV1 as FieldSet;
        assert.ok(!isEmpty(fields), `${at}: nobody owns nothing`);
        assert.equal(JSON.stringify(readFieldSet(fields)), JSON.stringify(fields), `${at}: canonical`);
        for (const path of pathsOf(fields))
          assert.ok(has(object, path), `${at}: ${entry.manager} owns what is there: ${pathText(path)}`);
      }
      assert.equal(
        manager.update(live, structuredClone(live), { manager: 'z', nowMs: 0 }),
        managedFields,
        `${at}: no change`,
      );
    }
  }
});

test('comparisons tell what happened', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const maker = new Maker(seed);
    const [before, after] = [maker.object(), maker.object()];
    const there = compare(node, before, after);
    const back = compare(node, after, before);
    const added = difference(there.changed, back.changed);
    assert.deepEqual(sortedSet(added), sortedSet(back.removed), `seed ${seed}`);
    assert.deepEqual(difference(there.changed, added), difference(back.changed, there.removed), `seed ${seed}`);
    const unchanged = isEmpty(union(there.changed, there.removed));
    if (jsonEqual(before, after)) assert.ok(unchanged, `seed ${seed}`);
    for (const path of pathsOf(added)) assert.ok(has(after, path), `seed ${seed}: ${pathText(path)}`);
    for (const path of pathsOf(there.removed)) assert.ok(has(before, path), `seed ${seed}: ${pathText(path)}`);
    assert.ok(isEmpty(difference(added, union(added, there.removed))));
  }
});
