import { decodeBase64Url } from '../../../libs/base/base64.ts';
import { SUBPROTOCOL_HEADER, subprotocolsOf } from '../../../libs/streaming/subprotocols.ts';

const TOKEN_PREFIX = 'base64url.bearer.authorization.k8s.io.';

/**
 * Browsers cannot send `Authorization` with a WebSocket: they name the bearer token among the subprotocols, as
 * `base64url.bearer.authorization.k8s.io.` and the token in base64url without padding, beside at least one that is to be
 * spoken (API documentation, "Authenticating"). It is moved to where all tokens are, so that whoever the connection leads
 * to sees neither of the two names. A token that is written wrongly becomes one that nobody believes.
 */
export function moveWebSocketToken(headers: Record<string, string | readonly string[] | undefined>): void {
  const offered = headers[SUBPROTOCOL_HEADER];
  if (typeof offered !== 'string' || !offered.includes(TOKEN_PREFIX)) return;
  const names = subprotocolsOf(offered);
  const tokens = names.filter((name) => name.startsWith(TOKEN_PREFIX));
  const spoken = names.filter((name) => !name.startsWith(TOKEN_PREFIX));
  if (spoken.length > 0) headers[SUBPROTOCOL_HEADER] = spoken.join(', ');
  else delete headers[SUBPROTOCOL_HEADER];
  const token = tokens.length === 1 && spoken.length > 0 ? decoded(tokens[0] as string) : undefined;
  headers['authorization'] ??= `Bearer ${token || TOKEN_PREFIX}`;
}

function decoded(name: string): string | undefined {
  const bytes = decodeBase64Url(name.slice(TOKEN_PREFIX.length));
  try {
    return bytes && new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
