import {
  type Cidr,
  cidrContains,
  cidrSize,
  cidrsOverlap,
  formatCidr,
  parseCidr,
  subnetAt,
} from '../../../../libs/machinery/cidr.ts';

/** As upstream: a cluster's network has room for 65,536 nodes at most. */
const BITS_MAX = 16;
const MASK_DEFAULT = { 4: 24, 6: 64 } as const;

/**
 * The networks of `maskSize` bits inside a cluster's network: which are taken, and which comes next. Networks are handed
 * out in turn, so that one given back stays unused as long as others are free: whoever still knows an old pod's address
 * does not meet another pod there.
 *
 *     const pool = new CidrPool('10.244.0.0/16');
 *     pool.take();                   // '10.244.0.0/24'
 *     pool.release('10.244.0.0/24');
 *     pool.take();                   // '10.244.1.0/24'
 */
export class CidrPool {
  readonly #network: Cidr;
  readonly #maskSize: number;
  readonly #size: number;
  /** By index: how often it is taken. Two nodes may have come with the same network. */
  readonly #taken = new Map<number, number>();
  #next = 0;

  /** Throws `RangeError` for what is no network, or cannot be cut that way. `maskSize`: 24 for IPv4, 64 for IPv6. */
  constructor(network: string, maskSize?: number) {
    const parsed = parseCidr(network)?.network;
    if (!parsed) throw new RangeError(`"${network}" is no network for pods: it should look like 10.244.0.0/16`);
    this.#network = parsed;
    this.#maskSize = maskSize ?? MASK_DEFAULT[parsed.version];
    const bits = this.#maskSize - parsed.prefix;
    if (bits < 0 || bits > BITS_MAX || !subnetAt(parsed, this.#maskSize, 0)) {
      throw new RangeError(
        `${network} cannot be cut into networks of /${this.#maskSize}: its length must be from /${Math.max(0, this.#maskSize - BITS_MAX)} to /${this.#maskSize}`,
      );
    }
    this.#size = 2 ** bits;
  }

  /** The next free network, taken from now on; undefined when none is free. */
  take(): string | undefined {
    for (let i = 0; i < this.#size; i++) {
      const index = (this.#next + i) % this.#size;
      if (this.#taken.has(index)) continue;
      this.#taken.set(index, 1);
      this.#next = (index + 1) % this.#size;
      return formatCidr(subnetAt(this.#network, this.#maskSize, index) as Cidr);
    }
    return undefined;
  }

  /** Marks everything that overlaps `cidr` as taken. What lies outside is of no interest. */
  occupy(cidr: string): void {
    for (const index of this.#indices(cidr)) this.#taken.set(index, (this.#taken.get(index) ?? 0) + 1);
  }

  /** Takes back one `take` or `occupy`. */
  release(cidr: string): void {
    for (const index of this.#indices(cidr)) {
      const times = this.#taken.get(index) ?? 0;
      if (times > 1) this.#taken.set(index, times - 1);
      else this.#taken.delete(index);
    }
  }

  *#indices(text: string): Generator<number> {
    const cidr = parseCidr(text)?.network;
    if (!cidr || !cidrsOverlap(this.#network, cidr)) return;
    const size = cidrSize({ ...this.#network, prefix: this.#maskSize });
    const inside = cidrContains(this.#network, { version: cidr.version, value: cidr.base });
    const first = inside ? (cidr.base - this.#network.base) / size : 0n;
    const last = inside ? (cidr.base - this.#network.base + cidrSize(cidr) - 1n) / size : BigInt(this.#size - 1);
    for (let index = Number(first); index <= Math.min(Number(last), this.#size - 1); index++) yield index;
  }
}
