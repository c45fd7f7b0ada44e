/** In place of a list that is not there: most parts of a pod are not, and nothing is made for them. */
export const NONE: readonly never[] = Object.freeze([]);

/** Whether an object has no member, without making a list of them. */
export function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
