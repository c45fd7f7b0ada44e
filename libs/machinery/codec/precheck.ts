/**
 * One quick look over a JSON text before `JSON.parse`, for what `JSON.parse` hides: duplicate keys and numbers it cannot
 * hold. It trusts that the text is JSON (`JSON.parse` says so right after) and never throws.
 */

export interface Precheck {
  /** Keys in the text, duplicates counted. Fewer keys in the parsed value mean a duplicate. */
  keys: number;
  /** A number that needs its literal: 16 digits or more, a fraction or an exponent; or a lone surrogate escape. */
  exact: boolean;
  /** Where nesting passes `depthMax`; −1 where it does not. */
  tooDeepAt: number;
}

/** Nesting beyond this is refused, whatever it holds. */
export const depthMax = 10_000;

const quote = 34;
const backslash = 92;

export function precheck(text: string): Precheck {
  let keys = 0;
  let exact = false;
  let depth = 0;
  let tooDeepAt = -1;
  const length = text.length;
  for (let i = 0; i < length; i++) {
    const char = text.charCodeAt(i);
    if (char === quote) {
      for (i++; i < length; i++) {
        const inner = text.charCodeAt(i);
        if (inner === quote) break;
        if (inner === backslash) {
          i++;
          // \ud8…: only the strict parser tells a pair from a lone half.
          if (text.charCodeAt(i) === 117 && (text.charCodeAt(i + 1) | 32) === 100) exact = true;
        }
      }
    } else if (char === 58) {
      keys++;
    } else if (char === 123 || char === 91) {
      if (++depth > depthMax && tooDeepAt < 0) tooDeepAt = i;
    } else if (char === 125 || char === 93) {
      depth--;
    } else if (char >= 48 && char <= 57) {
      const start = i;
      for (i++; i < length; i++) {
        const digit = text.charCodeAt(i);
        if (digit >= 48 && digit <= 57) continue;
        if (digit === 46 || (digit | 32) === 101) exact = true;
        i--;
        break;
      }
      if (i - start >= 15) exact = true;
    }
  }
  return { keys, exact, tooDeepAt };
}
