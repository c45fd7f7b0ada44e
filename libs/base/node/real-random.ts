import { randomBytes, randomFillSync, randomInt } from 'node:crypto';
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
    return below <= 1 ? 0 : randomInt(below);
  }

  text(length: number, alphabet: string): string {
    let out = '';
    for (let i = 0; i < length; i++) out += alphabet[randomInt(alphabet.length)];
    return out;
  }

  uuid(): string {
    if (this.#used === DRAWN_WORDS) {
      randomFillSync(this.#words);
      this.#used = 0;
    }
    const [words, at] = [this.#words, this.#used];
    this.#used += 4;
    return formatUuid(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number);
  }

  fork(): Random {
    return this;
  }
}

/** The machine's randomness; forks are the same source. */
export const realRandom: Random = Object.freeze(new RealRandom());
