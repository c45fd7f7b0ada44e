/**
 * JSON Web Tokens (RFC 7519) in their compact form, signed with ES256, RS256 or EdDSA. Pure: keys come as an argument.
 *
 *     const token = signJwt(keys, key, { iss: 'https://x', sub: 'me', exp: 1767225600 });
 *     decodeJwt(token)?.claims.sub;              // 'me', whoever made it: nothing is verified
 *     verifySignature(keys, token, [key]);       // the same, only when `key` signed it
 */
import { decodeBase64Url, encodeBase64Url } from '../base/base64.ts';
import type { KeyPair, Keys, PublicKey } from '../base/keys.ts';

/** The registered claims with their types; others as they are. Times are in seconds since 1970. */
export interface JwtClaims {
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly [claim: string]: unknown;
}

export interface DecodedJwt {
  readonly header: { readonly alg: string; readonly kid?: string };
  readonly claims: JwtClaims;
  /** What the signature is over. */
  readonly signed: string;
  readonly signature: Uint8Array;
}

/** Longer text is no token of ours, and is not looked at. */
const TOKEN_LENGTH_MAX = 64 * 1024;

/** A token over `claims`, whose header names the algorithm and the key. */
export function signJwt(keys: Keys, key: KeyPair, claims: JwtClaims): string {
  const header = JSON.stringify({ alg: key.algorithm, kid: key.keyId });
  const signed = `${encodeBase64Url(header)}.${encodeBase64Url(JSON.stringify(claims))}`;
  return `${signed}.${encodeBase64Url(keys.sign(key, signed))}`;
}

/** What a token says, not verified. Undefined for text that is no token, or whose registered claims have other types. */
export function decodeJwt(token: string): DecodedJwt | undefined {
  if (token.length > TOKEN_LENGTH_MAX) return undefined;
  const [head, body, tail, more] = token.split('.', 4);
  if (head === undefined || body === undefined || tail === undefined || more !== undefined) return undefined;
  const header = decodeObject(head);
  const claims = decodeObject(body);
  const signature = decodeBase64Url(tail);
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  const { alg, kid } = header;
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) return undefined;
  // Whoever wants an extension understood (RFC 7515, 4.1.11) is not understood.
  if (Object.hasOwn(header, 'crit') || !areClaims(claims)) return undefined;
  return { header: { alg, kid }, claims, signed: `${head}.${body}`, signature };
}

/**
 * `decodeJwt`, only where one of `publicKeys` signed the token with its own algorithm: the one that the header names, or
 * where it names none, any.
 */
export function verifySignature(
  keys: Keys,
  token: string,
  publicKeys: readonly PublicKey[],
): (DecodedJwt & { readonly key: PublicKey }) | undefined {
  const decoded = decodeJwt(token);
  if (decoded === undefined) return undefined;
  const { header, signed, signature } = decoded;
  const key = publicKeys.find(
    ({ algorithm, keyId, publicKeyPem }) =>
      algorithm === header.alg &&
      (header.kid === undefined || header.kid === keyId) &&
      keys.verify(publicKeyPem, algorithm, signed, signature),
  );
  return key && { ...decoded, key };
}

/** The audiences of `aud`, which may be one string or a list. */
export function audiencesOf({ aud }: JwtClaims): readonly string[] {
  return typeof aud === 'string' ? [aud] : (aud ?? []);
}

function decodeObject(part: string): Record<string, unknown> | undefined {
  const bytes = decodeBase64Url(part);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function areClaims(claims: Record<string, unknown>): claims is JwtClaims & Record<string, unknown> {
  const { iss, sub, jti, aud, exp, nbf, iat } = claims;
  const text = [iss, sub, jti].every((claim) => claim === undefined || typeof claim === 'string');
  const times = [exp, nbf, iat].every((claim) => claim === undefined || Number.isFinite(claim));
  const list = Array.isArray(aud) && aud.every((one) => typeof one === 'string');
  return text && times && (aud === undefined || typeof aud === 'string' || list);
}
