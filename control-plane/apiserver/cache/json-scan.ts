/**
 * Finds parts of an object in its JSON bytes without parsing them. Only for bytes that Tutti wrote itself and that are
 * known to be well-formed JSON; a part that is not there is undefined.
 */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;

/** The value of the member `name` (ASCII) of the object that begins at `at`. */
export function memberSpan(bytes: Uint8Array, at: number, name: string): Span | undefined {
  at = skipSpace(bytes, at);
  if (bytes[at] !== OPEN) return undefined;
  at = skipSpace(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const nameEnd = stringEnd(bytes, at);
    const found = isText(bytes, at + 1, nameEnd - 1, name);
    // Past the colon.
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1);
    const end = valueEnd(bytes, start);
    if (found) return { start, end };
    at = skipSpace(bytes, end);
    if (bytes[at] !== COMMA) return undefined;
    at = skipSpace(bytes, at + 1);
  }
  return undefined;
}

/** The digits of `metadata.resourceVersion`, without its quotes. */
export function resourceVersionSpan(bytes: Uint8Array): Span | undefined {
  const metadata = memberSpan(bytes, 0, 'metadata');
  const version = metadata && memberSpan(bytes, metadata.start, 'resourceVersion');
  return version && bytes[version.start] === QUOTE ? { start: version.start + 1, end: version.end - 1 } : undefined;
}

/** The same object with another `metadata.resourceVersion`; the bytes themselves where it has none. */
export function withResourceVersion(bytes: Uint8Array, revision: number): Uint8Array {
  const span = resourceVersionSpan(bytes);
  if (!span) return bytes;
  const digits = String(revision);
  const out = new Uint8Array(bytes.length - (span.end - span.start) + digits.length);
  out.set(bytes.subarray(0, span.start));
  for (let i = 0; i < digits.length; i++) out[span.start + i] = digits.charCodeAt(i);
  out.set(bytes.subarray(span.end), span.start + digits.length);
  return out;
}

/**
 * Whether a number of 16 digits or more stands in the text, or what looks like one: such a text wants a parser that
 * keeps integers beyond 2^53.
 */
export function hasLongNumber(text: string): boolean {
  return LONG_NUMBER.test(text);
}

// Digits inside of strings follow a quote, a letter, a colon or a dash of the string; a number follows `:`, `,` or `[`.
const LONG_NUMBER = /[:,[]\s*-?\d{16}/;

function skipSpace(bytes: Uint8Array, at: number): number {
  for (;;) {
    const c = bytes[at];
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return at;
    at++;
  }
}

/** The index after the closing quote of the string that begins at `at`. */
function stringEnd(bytes: Uint8Array, at: number): number {
  for (at++; at < bytes.length; at++) {
    const c = bytes[at];
    if (c === BACKSLASH) at++;
    else if (c === QUOTE) return at + 1;
  }
  return at;
}

function valueEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return stringEnd(bytes, at);
  if (first !== OPEN && first !== OPEN_LIST) {
    while (at < bytes.length) {
      const c = bytes[at];
      if (c === COMMA || c === CLOSE || c === CLOSE_LIST) break;
      at++;
    }
    return at;
  }
  let depth = 0;
  while (at < bytes.length) {
    const c = bytes[at];
    if (c === QUOTE) {
      at = stringEnd(bytes, at);
      continue;
    }
    at++;
    if (c === OPEN || c === OPEN_LIST) depth++;
    else if (c === CLOSE || c === CLOSE_LIST) {
      depth--;
      if (depth === 0) break;
    }
  }
  return at;
}

function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
