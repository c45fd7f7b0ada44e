import { compareKeys, isHighKey } from '../../store/keys.ts';
import type { CachedObject } from './cached-object.ts';
import type { Form } from './encoded.ts';
import type { ListWriter } from './list-writer.ts';

/** A segment is split beyond this, and joined with its neighbour where both are small. */
const SEGMENT_MAX = 512;
const SEGMENT_FILL = 256;

/**
 * Some neighbours in the order of keys. Once a reader holds it, it is never changed: a write makes a new segment. So a
 * reader that took the segments holds a snapshot, and what a segment joins for a list is right as long as the segment
 * lives.
 */
export class Segment {
  readonly #objects: CachedObject[];
  readonly #joined = new Map<Form, Uint8Array>();
  #budget: JoinBudget | undefined;
  #held = false;

  /** Takes the array over. Without a budget nothing is kept: the segment is one list's own. */
  constructor(objects: CachedObject[], budget?: JoinBudget) {
    this.#objects = objects;
    this.#budget = budget;
  }

  get objects(): readonly CachedObject[] {
    return this.#objects;
  }

  /** From now on the segment stays as it is. */
  hold(): this {
    this.#held = true;
    return this;
  }

  /** The objects, to be changed in place; undefined: somebody holds them. Only what is held is ever joined. */
  own(): CachedObject[] | undefined {
    return this.#held ? undefined : this.#objects;
  }

  get first(): CachedObject {
    return this.objects[0] as CachedObject;
  }

  /** The items of a list in `form`, one behind the other as `writer` separates them. Kept, if the budget allows. */
  joined(form: Form, writer: ListWriter): Uint8Array {
    let joined = this.#joined.get(form);
    if (!joined) {
      joined = writer.join(this.objects, form);
      if (this.#budget?.take(joined.length)) this.#joined.set(form, joined);
    }
    return joined;
  }

  /** The segment is replaced: gives back what it took of the budget and takes no more, though lists may still read it. */
  release(): void {
    for (const joined of this.#joined.values()) this.#budget?.give(joined.length);
    this.#joined.clear();
    this.#budget = undefined;
  }
}

/** How many bytes joined segments may take in all. Beyond it they are joined for each list anew. */
export class JoinBudget {
  #leftBytes: number;

  constructor(bytes: number) {
    this.#leftBytes = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

/** A part of the objects as they were when it was taken: whole segments, and the ends of two. */
export interface Slice {
  readonly segment: Segment;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Objects that were picked one by one, in the pieces in which a list is written. */
export function slicesOf(objects: readonly CachedObject[]): Slice[] {
  const slices: Slice[] = [];
  for (let at = 0; at < objects.length; at += SEGMENT_FILL) {
    const segment = new Segment(objects.slice(at, at + SEGMENT_FILL));
    slices.push({ segment, from: 0, to: segment.objects.length });
  }
  return slices;
}

export const countOf = (slices: readonly Slice[]): number => slices.reduce((sum, { from, to }) => sum + to - from, 0);

export const objectsOf = (slices: readonly Slice[]): CachedObject[] =>
  slices.flatMap(({ segment, from, to }) => segment.objects.slice(from, to));

/** The objects of one resource: by key, and in the order of keys. */
export class OrderedObjects {
  readonly #byKey = new Map<string, CachedObject>();
  readonly #budget: JoinBudget;
  /** No literal: V8 would make all later ones old, with the objects that come into them. */
  #segments: Segment[] = Array.of();
  /** Some key sorts by code point otherwise than by UTF-16 unit. */
  #high = false;

  constructor(budget: JoinBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): CachedObject | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<CachedObject> {
    return this.#byKey.values();
  }

  /** Replaces everything by `objects`, which are in order. */
  load(objects: readonly CachedObject[]): void {
    if (this.#segments.length > 0) this.clear();
    for (let at = 0; at < objects.length; at += SEGMENT_FILL) {
      this.#segments.push(new Segment(objects.slice(at, at + SEGMENT_FILL), this.#budget));
    }
    for (let at = 0; at < objects.length; at++) {
      const object = objects[at] as CachedObject;
      this.#byKey.set(object.key, object);
      this.#high ||= isHighKey(object.key);
    }
  }

  clear(): void {
    for (const segment of this.#segments) segment.release();
    this.#segments = Array.of();
    this.#byKey.clear();
  }

  set(object: CachedObject): void {
    const { key } = object;
    this.#high ||= isHighKey(key);
    const known = this.#byKey.has(key);
    this.#byKey.set(key, object);
    if (this.#segments.length === 0) {
      this.#segments.push(new Segment(Array.of(object), this.#budget));
      return;
    }
    const at = Math.max(0, this.#segmentAfter(key) - 1);
    const segment = this.#segments[at] as Segment;
    const objects = segment.own() ?? segment.objects.slice();
    const index = this.#indexIn(objects, key);
    if (known) objects[index] = object;
    else if (index === objects.length) objects.push(object);
    else objects.splice(index, 0, object);
    if (objects.length > SEGMENT_MAX) {
      // Names that are made one after the other are added at the end: then the first half stays full.
      const half = index === objects.length - 1 ? objects.length - 1 : objects.length >> 1;
      this.#replace(at, 1, [objects.slice(0, half), objects.slice(half)]);
    } else if (objects !== segment.own()) this.#replace(at, 1, [objects]);
  }

  delete(key: string): void {
    if (!this.#byKey.delete(key)) return;
    const at = this.#segmentAfter(key) - 1;
    const segment = this.#segments[at] as Segment;
    const objects = segment.own() ?? segment.objects.slice();
    objects.splice(this.#indexIn(objects, key), 1);
    if (objects.length === 0) this.#replace(at, 1, []);
    else if (objects.length < SEGMENT_FILL / 2 && at > 0) this.#shrink(at, objects);
    else if (objects !== segment.own()) this.#replace(at, 1, [objects]);
  }

  /** The objects with keys that begin with `prefix` and, where `after` is given, come after it. */
  slices(prefix: string, after = ''): Slice[] {
    const slices: Slice[] = [];
    const from = after > prefix ? after : prefix;
    let index = Math.max(0, this.#segmentAfter(from) - 1);
    for (; index < this.#segments.length; index++) {
      const segment = this.#segments[index] as Segment;
      const { objects } = segment;
      let start = slices.length > 0 ? 0 : this.#indexIn(objects, from);
      if (slices.length === 0 && objects[start]?.key === after) start++;
      let end = objects.length;
      const last = (objects[end - 1] as CachedObject).key;
      const stops = !last.startsWith(prefix);
      if (stops) end = this.#endOf(objects, prefix, start);
      if (end > start) slices.push({ segment: segment.hold(), from: start, to: end });
      if (stops && start < objects.length) break;
    }
    return slices;
  }

  #shrink(at: number, objects: CachedObject[]): void {
    const before = this.#segments[at - 1] as Segment;
    if (before.objects.length + objects.length <= SEGMENT_FILL)
      this.#replace(at - 1, 2, [[...before.objects, ...objects]]);
    else this.#replace(at, 1, [objects]);
  }

  #replace(at: number, count: number, groups: readonly CachedObject[][]): void {
    const gone = this.#segments.splice(at, count, ...groups.map((objects) => new Segment(objects, this.#budget)));
    for (const segment of gone) segment.release();
  }

  /** The index of the first segment whose first key is greater than `key`. */
  #segmentAfter(key: string): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore(key, (this.#segments[middle] as Segment).first.key)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The index of the first object whose key is not less than `key`. */
  #indexIn(objects: readonly CachedObject[], key: string): number {
    let low = 0;
    let high = objects.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBefore((objects[middle] as CachedObject).key, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where, from `start` on, keys with the prefix end. */
  #endOf(objects: readonly CachedObject[], prefix: string, start: number): number {
    let low = start;
    let high = objects.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((objects[middle] as CachedObject).key.startsWith(prefix)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(a: string, b: string): boolean {
    return this.#high ? compareKeys(a, b) < 0 : a < b;
  }
}
