/** What can be in a ring; in one at a time. */
export class Linked {
  before: Linked | undefined;
  after: Linked | undefined;
}

/**
 * Things in the order in which they came, of which each goes again soon: as a `Set`, which however makes its table anew
 * each time that as many have gone as it has places. What was in an old table lives on with that, and the tables of a set
 * that has lived for long hold one another until all of memory is searched: so nothing dies young that was ever in one.
 */
export class Ring<T extends Linked> {
  readonly #head = new Linked();
  #size = 0;

  constructor() {
    this.#head.before = this.#head.after = this.#head;
  }

  get size(): number {
    return this.#size;
  }

  /** The one that is in it for the longest time. */
  get first(): T | undefined {
    const first = this.#head.after as Linked;
    return first === this.#head ? undefined : (first as T);
  }

  add(one: T): void {
    const head = this.#head;
    const last = head.before as Linked;
    one.before = last;
    one.after = head;
    last.after = head.before = one;
    this.#size++;
  }

  /** Idempotent. */
  remove(one: T): void {
    const { before, after } = one;
    if (!before || !after) return;
    before.after = after;
    after.before = before;
    one.before = one.after = undefined;
    this.#size--;
  }

  /** All that are in it now; they may go meanwhile. */
  all(): T[] {
    const all: T[] = [];
    for (let one = this.#head.after as Linked; one !== this.#head; one = one.after as Linked) all.push(one as T);
    return all;
  }
}
