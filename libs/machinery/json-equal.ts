type ObjectValue = Readonly<Record<string, unknown>>;

/**
 * Whether two JSON values are the same, key by key, in any order of keys. Numbers and bigints compare by amount; absent
 * and null are not the same (`same-value.ts` compares as the API does).
 */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    // Only a bigint equals what is not identical to it.
    if (typeof a === 'bigint') return typeof b === 'number' && Number.isInteger(b) && a === BigInt(b);
    return typeof b === 'bigint' && typeof a === 'number' && jsonEqual(b, a);
  }
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!jsonEqual(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  let count = 0;
  for (const key in a) {
    const left = (a as ObjectValue)[key];
    const right = (b as ObjectValue)[key];
    // A name such as `toString` must not be found further up.
    if (left !== right && (!Object.hasOwn(b, key) || !jsonEqual(left, right))) return false;
    if (right === undefined && !Object.hasOwn(b, key)) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}
