/**
 * These texts one behind the other, as one. What `+` and templates make stays in its pieces in memory, and an object that
 * has such a text, be it one of a hundred, is turned to JSON at a third of the speed. For what becomes part of objects.
 */
export const inOnePiece = (...texts: readonly string[]): string => texts.join('');
