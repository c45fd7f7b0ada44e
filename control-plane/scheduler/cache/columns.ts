import type { Labels } from '../../../libs/machinery/labels.ts';

/** One number for each node slot, growing as slots are added. */
export class Column {
  values: Float64Array;

  constructor(capacity: number) {
    this.values = new Float64Array(capacity);
  }

  grow(capacity: number): void {
    const values = new Float64Array(capacity);
    values.set(this.values);
    this.values = values;
  }
}

/** Which domain of one topology (`topology.kubernetes.io/zone`) each node is in. */
export class TopologyColumn {
  readonly key: string;
  /** The domain's number by slot; −1 for nodes without the label. */
  ids: Int32Array;
  /** The label's value by domain number. Numbers are never given to another value. */
  readonly domains: string[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(key: string, capacity: number) {
    this.key = key;
    this.ids = new Int32Array(capacity).fill(-1);
  }

  grow(capacity: number): void {
    const ids = new Int32Array(capacity).fill(-1);
    ids.set(this.ids);
    this.ids = ids;
  }

  set(slot: number, labels: Labels | undefined): void {
    if (!labels || !Object.hasOwn(labels, this.key)) {
      this.ids[slot] = -1;
      return;
    }
    const value = labels[this.key] as string;
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.domains.length;
      this.#numbers.set(value, number);
      this.domains.push(value);
    }
    this.ids[slot] = number;
  }
}
