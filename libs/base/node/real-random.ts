import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Random } from '../random.ts';

/** The machine's randomness; forks are the same source. */
export const realRandom: Random = Object.freeze({
  next: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  int: (below: number) => (below <= 1 ? 0 : randomInt(below)),
  text(length: number, alphabet: string) {
    let out = '';
    for (let i = 0; i < length; i++) out += alphabet[randomInt(alphabet.length)];
    return out;
  },
  uuid: () => randomUUID(),
  fork: () => realRandom,
});
