import { createHash, createHmac, createPrivateKey, hash } from 'node:crypto';
import type { KeyPair } from '../keys.ts';
import { CryptoKeyPair, CryptoKeys } from './crypto-keys.ts';

/** How many pairs are kept: a cluster has a handful that are asked for again; more are derived anew. */
const PAIRS_MAX = 64;
/** Secrets are made so many bytes at once: a cluster asks for fifty of them when it starts. */
const BLOCK_BYTES = 2048;

/** What stands before the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410). */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * Keys for simulations: everything follows from the seed, so anybody who knows it has every key. Never for a cluster
 * that holds anything of worth; each certificate says so in its organisational unit.
 *
 * The same purpose gives the same key, the same request the same certificate to the byte. Secrets are a stream: each
 * call gives the next bytes. `state()` is the place in it, for snapshots: `new FixedKeys(k.seed, k.state(), k.pairs())` goes on
 * from it, and need not derive again what was derived.
 */
export class FixedKeys extends CryptoKeys {
  readonly seed: string;
  protected override readonly organizationalUnit = 'fixed keys of a simulation, known to everybody';
  readonly #pairs: Map<string, KeyPair>;
  /** How many bytes of the stream have been given. */
  #given: number;
  #block: { readonly at: number; readonly bytes: Buffer } | undefined;

  /** `pairs`: keys of this seed, by purpose, that are known already. */
  constructor(seed: string | number, state = 0, pairs: ReadonlyMap<string, KeyPair> = new Map()) {
    super();
    this.seed = String(seed);
    this.#given = state;
    this.#pairs = new Map(pairs);
  }

  state(): number {
    return this.#given;
  }

  secret(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let made = 0; made < length; ) {
      const from = this.#given % BLOCK_BYTES;
      const part = this.#blockAt(this.#given - from).subarray(from, from + length - made);
      out.set(part, made);
      made += part.length;
      this.#given += part.length;
    }
    return out;
  }

  /** The keys that are known, by purpose, as they are now. */
  pairs(): ReadonlyMap<string, KeyPair> {
    return new Map(this.#pairs);
  }

  async generateKey(purpose: string): Promise<KeyPair> {
    const known = this.#pairs.get(purpose);
    if (known) return known;
    const der = Buffer.concat([ED25519_PREFIX, this.#derive(`key ${purpose}`)]);
    const pair = new CryptoKeyPair(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    if (this.#pairs.size < PAIRS_MAX) this.#pairs.set(purpose, pair);
    return pair;
  }

  protected serialNumber(content: () => Uint8Array): Uint8Array {
    return hash('sha256', content(), 'buffer').subarray(0, 16);
  }

  /** The bytes of the stream from `at` on, a multiple of their number. */
  #blockAt(at: number): Buffer {
    if (this.#block?.at !== at) {
      const bytes = createHash('shake256', { outputLength: BLOCK_BYTES })
        .update(`tutti ${this.seed.length}:${this.seed} secrets ${at}`)
        .digest();
      this.#block = { at, bytes };
    }
    return this.#block.bytes;
  }

  #derive(what: string): Buffer {
    return createHmac('sha256', `tutti ${this.seed}`).update(what).digest();
  }
}
