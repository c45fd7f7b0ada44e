/**
 * Where a paged list goes on: base64url of `{"v":"meta.k8s.io/v1","rv":<revision>,"start":"<key>"}`, as upstream writes
 * it, so that a token stays valid when one API server is replaced by another.
 */
import { badRequest } from '../../../libs/machinery/errors.ts';

export interface ContinueToken {
  /** The revision of the first page; -1: whatever is now (after the first page's has been compacted). */
  readonly revision: number;
  /** The first key that may come next, relative to the list's prefix. */
  readonly start: string;
}

const FORMAT = 'meta.k8s.io/v1';

export function encodeContinue(token: ContinueToken): string {
  const text = JSON.stringify({ v: FORMAT, rv: token.revision, start: token.start });
  const binary = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Throws `ApiError` 400 in upstream's words for a token that is none. */
export function decodeContinue(text: string): ContinueToken {
  const data = decodeBase64Url(text);
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    const first = data.codePointAt(0);
    const what =
      first === undefined
        ? 'unexpected end of JSON input'
        : `invalid character ${quoteRune(first)} looking for beginning of value`;
    throw invalidToken(what);
  }
  const { v, rv, start } = (parsed ?? {}) as Record<string, unknown>;
  if (v !== FORMAT)
    throw badRequest(
      `invalid continue token: continue key is not valid: server does not recognize this encoded version`,
    );
  if (typeof rv !== 'number' || !Number.isInteger(rv) || rv === 0) {
    throw badRequest(
      'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
    );
  }
  if (typeof start !== 'string' || start === '') {
    throw badRequest(
      'invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)',
    );
  }
  if (`/${start}`.split('/').includes('..')) throw invalidToken(start);
  return { revision: rv, start };
}

const invalidToken = (what: string) => badRequest(`invalid continue token: continue key is not valid: ${what}`);

function decodeBase64Url(text: string): string {
  try {
    return atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    const bad = [...text].findIndex((c) => !/[A-Za-z0-9_-]/.test(c));
    throw invalidToken(`illegal base64 data at input byte ${bad < 0 ? text.length - (text.length % 4) : bad}`);
  }
}

function quoteRune(code: number): string {
  const character = String.fromCodePoint(code);
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return `'\\u${code.toString(16).padStart(4, '0')}'`;
  return `'${character}'`;
}
