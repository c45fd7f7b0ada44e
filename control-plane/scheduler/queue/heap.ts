/** A binary heap whose members are found by key, so that one can be taken out of its middle. */
export class KeyedHeap<T extends { readonly key: string }> {
  readonly #items: T[] = [];
  readonly #places = new Map<string, number>();
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  get(key: string): T | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.#items[place];
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  values(): Iterable<T> {
    return this.#items;
  }

  push(item: T): void {
    this.delete(item.key);
    this.#items.push(item);
    this.#places.set(item.key, this.#items.length - 1);
    this.#up(this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first) this.delete(first.key);
    return first;
  }

  delete(key: string): T | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const item = this.#items[place] as T;
    const last = this.#items.pop() as T;
    this.#places.delete(key);
    if (last !== item) {
      this.#items[place] = last;
      this.#places.set(last.key, place);
      this.#up(place);
      this.#down(this.#places.get(last.key) as number);
    }
    return item;
  }

  #up(from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#compare(this.#items[place] as T, this.#items[parent] as T) >= 0) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #down(from: number): void {
    let place = from;
    for (;;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        const item = this.#items[child];
        if (item && this.#compare(item, this.#items[least] as T) < 0) least = child;
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #swap(a: number, b: number): void {
    const [left, right] = [this.#items[a] as T, this.#items[b] as T];
    this.#items[a] = right;
    this.#items[b] = left;
    this.#places.set(right.key, a);
    this.#places.set(left.key, b);
  }
}
