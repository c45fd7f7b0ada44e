/** What lets others verify our tokens: the key set (RFC 7517) and the discovery document that points to it. */
import { encodeBase64Url } from '../base/base64.ts';
import { type JwsAlgorithm, KeyError, type PublicKey } from '../base/keys.ts';
import { expectTag, readBitString, readChildren, readDer, TAG } from '../base/x509/der.ts';
import { decodePem } from '../base/x509/pem.ts';

/** A public key as a JSON Web Key: EC with `crv`, `x`, `y`; OKP with `crv`, `x`; RSA with `n`, `e`. */
export interface JsonWebKey {
  readonly use: 'sig';
  readonly kty: 'EC' | 'OKP' | 'RSA';
  readonly kid: string;
  readonly crv?: string;
  readonly alg: JwsAlgorithm;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** What `/openid/v1/jwks` serves, as `application/jwk-set+json`. */
export function jsonWebKeySet(publicKeys: readonly PublicKey[]): { keys: JsonWebKey[] } {
  return { keys: publicKeys.map(jsonWebKey) };
}

/** What `/.well-known/openid-configuration` serves, as `application/json`. */
export interface OpenidConfiguration {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly response_types_supported: readonly string[];
  readonly subject_types_supported: readonly string[];
  readonly id_token_signing_alg_values_supported: readonly string[];
}

/** `jwksUri` is where clients outside the cluster find the key set: `https://10.0.0.7:6443/openid/v1/jwks`. */
export function openidConfiguration(
  issuer: string,
  jwksUri: string,
  publicKeys: readonly PublicKey[],
): OpenidConfiguration {
  return {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(publicKeys.map(({ algorithm }) => algorithm))].sort(),
  };
}

/** Throws `KeyError` for a key that is not in SPKI PEM. */
export function jsonWebKey({ algorithm, keyId, publicKeyPem }: PublicKey): JsonWebKey {
  const spki = decodePem(publicKeyPem).find(({ label }) => label === 'PUBLIC KEY')?.der;
  if (spki === undefined) throw new KeyError('there is no PUBLIC KEY block in the PEM');
  const bits = readBitString(readChildren(readDer(spki))[1], 'the public key');
  const common = { use: 'sig', kid: keyId, alg: algorithm } as const;
  switch (algorithm) {
    case 'ES256':
      // An uncompressed point: 4, x, y.
      return {
        ...common,
        kty: 'EC',
        crv: 'P-256',
        x: encodeBase64Url(bits.subarray(1, 33)),
        y: encodeBase64Url(bits.subarray(33)),
      };
    case 'EdDSA':
      return { ...common, kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(bits) };
    case 'RS256': {
      const [n, e] = readChildren(readDer(bits)).map((value) => {
        const { body } = expectTag(value, TAG.integer, 'a part of an RSA key');
        // DER puts a zero before a number whose first bit is set.
        return encodeBase64Url(body[0] === 0 ? body.subarray(1) : body);
      });
      return { ...common, kty: 'RSA', n, e };
    }
  }
}
