/**
 * The order of keys: bytewise over their UTF-8 form, which is the order of code points. JavaScript's `<` compares
 * UTF-16 units and agrees with that unless one side has a surrogate (U+10000 and up) where the other has U+E000–U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const plain = a < b ? -1 : 1;
  if (!HIGH.test(a) || !HIGH.test(b)) return plain;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x < 0xd800 || y < 0xd800) return plain;
    return isSurrogate(x) === isSurrogate(y) ? plain : isSurrogate(x) ? 1 : -1;
  }
  return plain;
}

/** Whether `<` may disagree with `compareKeys` for this key. */
export const isHighKey = (key: string): boolean => HIGH.test(key);

/** The least key that is greater than every key with the prefix; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) as number;
    if (point >= 0x10ffff) continue;
    const next = point + 1 === 0xd800 ? 0xe000 : point + 1;
    return points.join('') + String.fromCodePoint(next);
  }
  return undefined;
}

/** What a key takes in a metric or a bound: exact for ASCII, near enough else. */
export const keyBytes = (key: string): number => key.length;

const HIGH = /[\ud800-\uffff]/;
const isSurrogate = (unit: number) => unit < 0xe000;
