import type { Clock } from '../base/clock.ts';
import type { Keys, PublicKey } from '../base/keys.ts';
import { type JwtClaims, verifySignature } from './jwt.ts';

export interface JwtVerifierOptions {
  readonly keys: Keys;
  readonly clock: Pick<Clock, 'now'>;
  /** Whose tokens are believed. To change them, make another verifier. */
  readonly publicKeys: readonly PublicKey[];
  /** How far clocks may be apart. Default 60 s, as upstream has it. */
  readonly leewayMs?: number;
  /** How many verified tokens are remembered. Default 4096, some 4 MB. */
  readonly rememberedMax?: number;
}

/** Why a token is not believed. All but the last two say the same to a client: nothing about it can be trusted. */
export type JwtRefusal = 'malformed or signed by no known key' | 'expired' | 'not valid yet';

export type JwtVerdict =
  | { readonly ok: true; readonly claims: JwtClaims; readonly keyId: string }
  | { readonly ok: false; readonly why: JwtRefusal };

interface Remembered {
  readonly claims: JwtClaims;
  readonly keyId: string;
}

/**
 * Verifies tokens' signatures and times. Signatures that held are remembered by the token's digest, the least recently
 * used forgotten first; times are looked at each time. Refused tokens are not remembered: whoever sends many of them
 * must not push out the good ones.
 *
 * The claims are frozen and shared by all callers. Whether what a token is bound to still exists is not asked here.
 */
export class JwtVerifier {
  readonly #options: JwtVerifierOptions;
  readonly #leewayMs: number;
  readonly #rememberedMax: number;
  readonly #remembered = new Map<string, Remembered>();

  constructor(options: JwtVerifierOptions) {
    this.#options = options;
    this.#leewayMs = options.leewayMs ?? 60_000;
    this.#rememberedMax = options.rememberedMax ?? 4096;
  }

  /** How many tokens are remembered. */
  get remembered(): number {
    return this.#remembered.size;
  }

  verify(token: string): JwtVerdict {
    const { keys, clock, publicKeys } = this.#options;
    const digest = String.fromCharCode(...keys.digest('sha256', token));
    let known = this.#remembered.get(digest);
    if (known === undefined) {
      const verified = verifySignature(keys, token, publicKeys);
      if (verified === undefined) return { ok: false, why: 'malformed or signed by no known key' };
      known = { claims: freeze(verified.claims), keyId: verified.key.keyId };
    } else this.#remembered.delete(digest);
    const why = this.#refuseByTime(known.claims, clock.now());
    if (why !== undefined) return { ok: false, why };
    // At the end of the order again: it is the last to be forgotten.
    this.#remembered.set(digest, known);
    if (this.#remembered.size > this.#rememberedMax) {
      const [oldest] = this.#remembered.keys();
      this.#remembered.delete(oldest as string);
    }
    return { ok: true, ...known };
  }

  #refuseByTime({ exp, nbf, iat }: JwtClaims, nowMs: number): JwtRefusal | undefined {
    if (exp !== undefined && nowMs > exp * 1000 + this.#leewayMs) return 'expired';
    const begins = Math.max(nbf ?? Number.NEGATIVE_INFINITY, iat ?? Number.NEGATIVE_INFINITY);
    return nowMs + this.#leewayMs < begins * 1000 ? 'not valid yet' : undefined;
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const inside of Object.values(Object.freeze(value))) freeze(inside);
  return value;
}
