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
  let padding = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '\n' || char === '\r') continue;
    if (padding > 0) {
      // After the padding is complete nothing may follow; within it only its second sign.
      if (padding === 1 && digits.length % 4 === 2 && char === '=') padding = 2;
      else return { wrongAt: i };
    } else if (char === '=') {
      if (digits.length % 4 < 2) return { wrongAt: i };
      padding = 1;
    } else if (alphabet.includes(char)) {
      digits.push(char);
    } else {
      return { wrongAt: i };
    }
  }
  const rest = digits.length % 4;
  const complete = rest === 0 ? padding === 0 : rest + padding === 4 && rest > 1;
  if (!complete) return { wrongAt: text.length };
  if (rest === 2) digits.push(clear(digits.pop() as string, 4), '=', '=');
  if (rest === 3) digits.push(clear(digits.pop() as string, 2), '=');
  return digits.join('');
}

const clear = (digit: string, bits: number): string => alphabet[(alphabet.indexOf(digit) >> bits) << bits] as string;
