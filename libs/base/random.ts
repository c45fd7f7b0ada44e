/**
 * Randomness as an argument: back-off jitter, generated names, uids, fault schedules. Not for secrets: those come from
 * `Keys`.
 *
 * A component that wants numbers of its own forks: `random.fork('scheduler')`. Forks of one seed are independent of one
 * another and of how often the parent was asked, so that a new component does not change another's history.
 */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below); 0 where that is empty. `below` up to 2^32. */
  int(below: number): number;
  /** `length` letters of `alphabet`. */
  text(length: number, alphabet: string): string;
  /** A version 4 UUID. */
  uuid(): string;
  /** An independent source, made from this one's seed and `name` alone. */
  fork(name: string): Random;
}

/**
 * One seed, one sequence, on every platform (sfc32 over a hash of the seed). `state` makes it part of a snapshot:
 * `new SeededRandom(r.seed, r.state())` goes on where `r` stands, and forks as `r` does. Its numbers begin with the first
 * that is asked for: a cluster has two hundred forks, and most are only there for what does not happen.
 */
export class SeededRandom implements Random {
  readonly seed: string;
  #hasBegun: boolean;
  #a = 0;
  #b = 0;
  #c = 0;
  #count = 0;

  constructor(seed: string | number, state?: readonly [number, number, number, number]) {
    this.seed = String(seed);
    this.#hasBegun = state !== undefined;
    if (state) [this.#a, this.#b, this.#c, this.#count] = state;
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#a = hash(this.seed, 0x9e3779b9);
    this.#b = hash(this.seed, 0x243f6a88);
    this.#c = hash(this.seed, 0xb7e15162);
    this.#count = 1;
    for (let i = 0; i < 12; i++) this.#uint32();
  }

  next(): number {
    return this.#uint32() / 4294967296;
  }

  int(below: number): number {
    return below <= 1 ? 0 : Math.floor(this.next() * below);
  }

  text(length: number, alphabet: string): string {
    // Made at once: a text that grows letter by letter is kept as all of its steps.
    const units = new Array<number>(length);
    for (let i = 0; i < length; i++) units[i] = alphabet.charCodeAt(this.int(alphabet.length));
    return String.fromCharCode(...units);
  }

  uuid(): string {
    const a = this.#uint32();
    const b = this.#uint32();
    const c = this.#uint32();
    const d = this.#uint32();
    // Drawn for itself, so that a seed's numbers stay what they were.
    return formatUuid(a, b, ((this.int(4) << 28) | (c & 0x0fff_ffff)) >>> 0, d);
  }

  fork(name: string): Random {
    // With its length, so that `fork('a/b')` is not `fork('a').fork('b')`.
    return new SeededRandom(`${this.seed}/${name.length}:${name}`);
  }

  /** What `new SeededRandom(seed, state)` goes on from. */
  state(): [number, number, number, number] {
    if (!this.#hasBegun) this.#begin();
    return [this.#a, this.#b, this.#c, this.#count];
  }

  #uint32(): number {
    if (!this.#hasBegun) this.#begin();
    // A field that once held more than 32 bits is an object of its own from then on, made anew at each look.
    const b = this.#b;
    const c = this.#c;
    const t = (((this.#a + b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = b ^ (b >>> 9);
    this.#b = (c + (c << 3)) | 0;
    this.#c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  }
}

/**
 * A version 4 UUID of 128 random bits, of which six make way for version and variant. In one go, as `formatTime` and for
 * its reason: every object has one.
 */
export function formatUuid(a: number, b: number, c: number, d: number): string {
  // biome-ignore format: a line is a part of the text
  return String.fromCharCode(
    hex(a >>> 28), hex(a >>> 24), hex(a >>> 20), hex(a >>> 16), hex(a >>> 12), hex(a >>> 8), hex(a >>> 4), hex(a), DASH,
    hex(b >>> 28), hex(b >>> 24), hex(b >>> 20), hex(b >>> 16), DASH,
    hex(4), hex(b >>> 8), hex(b >>> 4), hex(b), DASH,
    hex(8 | ((c >>> 28) & 3)), hex(c >>> 24), hex(c >>> 20), hex(c >>> 16), DASH,
    hex(c >>> 12), hex(c >>> 8), hex(c >>> 4), hex(c),
    hex(d >>> 28), hex(d >>> 24), hex(d >>> 20), hex(d >>> 16), hex(d >>> 12), hex(d >>> 8), hex(d >>> 4), hex(d),
  );
}

const DASH = 45;

/** The lowest four bits as a digit's code. */
function hex(n: number): number {
  const digit = n & 15;
  return digit < 10 ? 48 + digit : 87 + digit;
}

/** FNV-1a with a final mix: spreads short seeds over 32 bits. */
function hash(text: string, basis: number): number {
  let h = basis | 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
