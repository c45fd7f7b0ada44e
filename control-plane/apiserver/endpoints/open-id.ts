import type { PublicKey } from '../../../libs/base/keys.ts';
import { jsonWebKeySet, openidConfiguration } from '../../../libs/jwt/jwks.ts';
import { methodNotAllowed } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import { respond, wholeBody } from '../responses.ts';
import type { Endpoint } from '../server.ts';

const JWKS = '/openid/v1/jwks';
const CONFIGURATION = '/.well-known/openid-configuration';
/** Verifiers may keep what they were told for an hour: keys are there before they are used. */
const CACHED = 'public, max-age=3600';

/** What others need to verify the tokens of service accounts (API concept "ServiceAccount token issuer discovery"). */
export function openIdEndpoint(issuer: string, serverAddress: string, publicKeys: readonly PublicKey[]): Endpoint {
  const configuration = openidConfiguration(issuer, `https://${serverAddress}${JWKS}`, publicKeys);
  const keySet = jsonWebKeySet(publicKeys);
  return {
    handle(_server, _ctx, request) {
      const path = request.path.endsWith('/') ? request.path.slice(0, -1) : request.path;
      if (path !== JWKS && path !== CONFIGURATION) return undefined;
      if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
      return path === JWKS ? document(keySet, 'application/jwk-set+json') : document(configuration, 'application/json');
    },
  };
}

const document = (value: object, contentType: string): ApiResponse =>
  respond(200, { ...wholeBody({ value }), contentType }, [], { 'cache-control': CACHED });
