/** Small rules about JSON values that all codecs share. */

export type JsonObject = Record<string, unknown>;

const int64Max = 2n ** 63n - 1n;

/** An int64 in its in-memory form: a number where that is exact, else a bigint; undefined beyond 64 bits. */
export function fits(value: bigint): number | bigint | undefined {
  if (value > int64Max || value < -int64Max - 1n) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Sets an own property whatever its name: a plain assignment to `__proto__` would change the prototype instead. */
export function put(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

/**
 * The order in which maps are written: by UTF-8 bytes, that is by code points. UTF-16 order differs only where a
 * surrogate meets U+E000 … U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    return rank(x) - rank(y);
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
