import { createHmac, createPrivateKey, hash } from 'node:crypto';
import type { KeyPair } from '../keys.ts';
import { CryptoKeyPair, CryptoKeys } from './crypto-keys.ts';

/** How many pairs are kept: a cluster has a handful that are asked for again; more are derived anew. */
const PAIRS_MAX = 64;

/** What stands before the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410). */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * Keys for simulations: everything follows from the seed, so anybody who knows it has every key. Never for a cluster
 * that holds anything of worth; each certificate says so in its organisational unit.
 *
 * The same purpose gives the same key, the same request the same certificate to the byte. Secrets are a stream: each
 * call gives the next bytes. `state()` is its place, for snapshots: `new FixedKeys(k.seed, k.state(), k.pairs())` goes on
 * from it, and need not derive again what was derived.
 */
export class FixedKeys extends CryptoKeys {
  readonly seed: string;
  protected override readonly organizationalUnit = 'fixed keys of a simulation, known to everybody';
  readonly #pairs: Map<string, KeyPair>;
  #secrets: number;

  /** `pairs`: keys of this seed, by purpose, that are known already. */
  constructor(seed: string | number, state = 0, pairs: ReadonlyMap<string, KeyPair> = new Map()) {
    super();
    this.seed = String(seed);
    this.#secrets = state;
    this.#pairs = new Map(pairs);
  }

  state(): number {
    return this.#secrets;
  }

  secret(length: number): Uint8Array {
    const out = Buffer.alloc(length);
    const call = this.#secrets++;
    for (let at = 0; at < length; at += 32) this.#derive(`secret ${call} ${at}`).copy(out, at);
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

  #derive(what: string): Buffer {
    return createHmac('sha256', `tutti ${this.seed}`).update(what).digest();
  }
}
