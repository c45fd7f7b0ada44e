/** The errors that all decoders throw and answer. */

/** What a client sent does not fit the type. The message is upstream's, without the words that name the kind. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/**
 * The message for unknown and duplicate fields where they are refused (`fieldValidation=Strict`):
 * `strict decoding error: unknown field "spec.foo", duplicate field "spec.bar"`.
 */
export function strictDecodingError(errors: readonly string[]): string {
  return `strict decoding error: ${errors.join(', ')}`;
}
