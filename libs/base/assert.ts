/** A bug in Tutti: something that the code promised does not hold. Never thrown for bad input. */
export class AssertionError extends Error {
  constructor(message: string) {
    super(`bug in tutti: ${message}`);
    this.name = 'AssertionError';
  }
}

/**
 * Throws `AssertionError` unless `condition` holds; on in production too. Where something is asserted for every request, a
 * message that is put together costs more than the question: `if (!condition) throw new AssertionError(…)` makes it last.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The end of a `switch` over a union: fails to compile when a case is missing, and throws if it is reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected ${JSON.stringify(value)}`);
}
