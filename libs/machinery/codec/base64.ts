/** Standard base64 with padding, as byte fields are written in JSON. */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const canonicalForm = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

/** The text itself where it is canonical; undefined where a reader has to look closer. */
export function canonicalBase64(text: string): string | undefined {
  return text.length % 4 === 0 && canonicalForm.test(text) ? text : undefined;
}

/**
 * Reads base64 leniently: line breaks are skipped, unused bits of the last digit ignored. Answers the canonical text,
 * or the offset in `text` of the first byte that is wrong (as decode errors cite it).
 */
export function normalizeBase64(text: string): string | { wrongAt: number } {
  const digits: string[] = [];
  const next = (from: number): number => {
    let at = from;
    while (text[at] === '\n' || text[at] === '\r') at++;
    return at;
  };
  let at = next(0);
  for (; at < text.length && text[at] !== '='; at = next(at + 1)) {
    if (!alphabet.includes(text[at] as string)) return { wrongAt: at };
    digits.push(text[at] as string);
  }
  const rest = digits.length % 4;
  if (at >= text.length) {
    // A last group that lacks its padding is wrong from its first digit on.
    return rest === 0 ? digits.join('') : { wrongAt: text.length - rest };
  }
  if (rest < 2) return { wrongAt: at };
  if (rest === 2) {
    at = next(at + 1);
    if (at >= text.length) return { wrongAt: text.length };
    if (text[at] !== '=') return { wrongAt: at - 1 };
  }
  const after = next(at + 1);
  if (after < text.length) return { wrongAt: after };
  digits.push(clear(digits.pop() as string, rest === 2 ? 4 : 2), rest === 2 ? '==' : '=');
  return digits.join('');
}

const clear = (digit: string, bits: number): string => alphabet[(alphabet.indexOf(digit) >> bits) << bits] as string;

// Newer runtimes have it built in, about ten times as fast as the detour over Latin-1 text.
interface WithBase64 {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
}

/** The bytes of a canonical text. */
export function base64ToBytes(text: string): Uint8Array<ArrayBuffer> {
  const builtin = Uint8Array as unknown as WithBase64;
  if (builtin.fromBase64) return builtin.fromBase64(text);
  const latin1 = atob(text);
  const bytes = new Uint8Array(latin1.length);
  for (let i = 0; i < latin1.length; i++) bytes[i] = latin1.charCodeAt(i);
  return bytes;
}
