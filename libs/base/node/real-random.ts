import { randomBytes, randomFillSync } from 'node:crypto';
import { formatUuid, type Random } from '../random.ts';

/** Words that are drawn at once: the machine's randomness costs more to ask for than to have. */
const DRAWN_WORDS = 1024;

class RealRandom implements Random {
  readonly #words = new Uint32Array(DRAWN_WORDS);
  #used = DRAWN_WORDS;

  next(): number {
    return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
  }

  int(below: number): number {
    if (below <= 1) return 0;
    // Words beyond the last whole multiple would make the first numbers likelier than the others.
    const most = 2 ** 32 - (2 ** 32 % below);
    for (;;) {
      const word = this.#word();
      if (word < most) return word % below;
    }
  }

  text(length: number, alphabet: string): string {
    let out = '';
    for (let i = 0; i < length; i++) out += alphabet[this.int(alphabet.length)];
    return out;
  }

  uuid(): string {
    return formatUuid(this.#word(), this.#word(), this.#word(), this.#word());
  }

  fork(): Random {
    return this;
  }

  #word(): number {
    if (this.#used === DRAWN_WORDS) {
      randomFillSync(this.#words);
      this.#used = 0;
    }
    return this.#words[this.#used++] as number;
  }
}

/** The machine's randomness; forks are the same source. */
export const realRandom: Random = Object.freeze(new RealRandom());
