import type { Random } from '../../../libs/base/random.ts';

/** Nodes that are ranked together: a change of one of them makes the others be looked at again. */
const GROUP_BITS = 6;
const GROUP_NODES = 1 << GROUP_BITS;

/**
 * The nodes that pass, by their sums. Nodes are ranked in groups, and the groups' best then stand for them: after a
 * change of one node the best of thousands are found by a look at its group and at one number of each other.
 */
export class Ranks {
  readonly #passes: Uint8Array;
  readonly #sums: Float64Array;
  readonly #best: Float64Array;
  /** How many of the group have its best sum. */
  readonly #ties: Uint8Array;
  readonly #passing: Uint8Array;
  readonly #stale: Uint8Array;

  /** By slot: whether a node passes, and its sum. Whoever changes either says so by `touch`. */
  constructor(passes: Uint8Array, sums: Float64Array) {
    const groups = Math.ceil(passes.length / GROUP_NODES);
    this.#passes = passes;
    this.#sums = sums;
    this.#best = new Float64Array(groups);
    this.#ties = new Uint8Array(groups);
    this.#passing = new Uint8Array(groups);
    this.#stale = new Uint8Array(groups).fill(1);
  }

  touch(node: number): void {
    this.#stale[node >> GROUP_BITS] = 1;
  }

  /** How many nodes pass. */
  count(): number {
    this.#refresh();
    let count = 0;
    for (let group = 0; group < this.#passing.length; group++) count += this.#passing[group] as number;
    return count;
  }

  /** One of those with the highest sum, each as likely as the other; there must be one that passes. */
  choose(random: Random): number {
    this.#refresh();
    let best = Number.NEGATIVE_INFINITY;
    let ties = 0;
    for (let group = 0; group < this.#best.length; group++) {
      if (this.#passing[group] === 0 || (this.#best[group] as number) < best) continue;
      if ((this.#best[group] as number) > best) {
        best = this.#best[group] as number;
        ties = 0;
      }
      ties += this.#ties[group] as number;
    }
    return this.#tied(best, random.int(ties));
  }

  /** The node numbered `index`, in the order of slots, of those with this sum. */
  #tied(best: number, index: number): number {
    let left = index;
    for (let group = 0; group < this.#best.length; group++) {
      if (this.#passing[group] === 0 || this.#best[group] !== best) continue;
      const ties = this.#ties[group] as number;
      if (left >= ties) {
        left -= ties;
        continue;
      }
      for (let node = group << GROUP_BITS; ; node++) {
        if (this.#passes[node] === 1 && this.#sums[node] === best && left-- === 0) return node;
      }
    }
    return -1;
  }

  #refresh(): void {
    for (let group = 0; group < this.#stale.length; group++) if (this.#stale[group] === 1) this.#rank(group);
  }

  #rank(group: number): void {
    const first = group << GROUP_BITS;
    const end = Math.min(first + GROUP_NODES, this.#passes.length);
    let best = Number.NEGATIVE_INFINITY;
    let ties = 0;
    let passing = 0;
    for (let node = first; node < end; node++) {
      if (this.#passes[node] === 0) continue;
      passing++;
      const sum = this.#sums[node] as number;
      if (sum < best) continue;
      if (sum > best) {
        best = sum;
        ties = 0;
      }
      ties++;
    }
    this.#best[group] = best;
    this.#ties[group] = ties;
    this.#passing[group] = passing;
    this.#stale[group] = 0;
  }
}
