/**
 * Keys, signatures, digests and certificates as an argument.
 *
 * `NodeKeys` (`node/node-keys.ts`) makes fresh ECDSA P-256 keys. `FixedKeys` (`node/fixed-keys.ts`) takes its keys from a
 * seed and signs deterministically (Ed25519), so that a simulation is repeatable to the byte; it is for tests alone and
 * says so in every certificate's organisational unit (not in the organisation: that would be a group of the user).
 * Private keys are never logged and never leave their holder but as PEM into a file of mode 0600.
 *
 * Everything but the certificate functions is synchronous; those are promises so that another implementation may keep
 * its keys elsewhere (a KMS, WebCrypto). Both of ours are done when they return: no thread pool, so that virtual time
 * need not wait for them.
 *
 *     const ca = await keys.generateKey('ca');
 *     const caPem = await keys.issueCertificate({ subject: { commonName: 'kubernetes' }, publicKey: ca,
 *       isCertificateAuthority: true, usages: ['cert sign'], notBeforeMs, notAfterMs });
 *     const key = await keys.generateKey('admin');
 *     const pem = await keys.issueCertificate({ subject: { commonName: 'admin', organizations: ['system:masters'] },
 *       publicKey: key, usages: ['digital signature', 'client auth'], notBeforeMs, notAfterMs },
 *       { key: ca, certificatePem: caPem });
 */
export interface Keys {
  /** `length` unpredictable bytes: token secrets, nonces. */
  secret(length: number): Uint8Array;
  digest(algorithm: 'sha1' | 'sha256' | 'sha512', data: Uint8Array | string): Uint8Array;
  /** HMAC-SHA-256. */
  hmac(secret: Uint8Array, data: Uint8Array | string): Uint8Array;
  /** Compares without telling by its time where the two differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;

  /** A new private key. `purpose` names it for fixed keys: the same purpose gives the same key. */
  generateKey(purpose: string): Promise<KeyPair>;
  /** Reads a private key (PKCS#8, SEC1 or PKCS#1 PEM). Throws `KeyError` for anything else. */
  importKey(privateKeyPem: string): KeyPair;
  /** Reads a public key (SPKI or PKCS#1 PEM, or a certificate's). Throws `KeyError` for anything else. */
  importPublicKey(pem: string): PublicKey;
  /** A JWS signature over `data` in the form that the key's algorithm prescribes (ES256: r‖s of 64 bytes). */
  sign(key: KeyPair, data: Uint8Array | string): Uint8Array;
  /** False for a wrong signature, a wrong algorithm or a broken key; never throws. */
  verify(publicKeyPem: string, alg: JwsAlgorithm, data: Uint8Array | string, signature: Uint8Array): boolean;

  /**
   * Issues a certificate, in PEM. Without `issuer` it is self-signed, and `publicKey` must be the pair that signs.
   * Times are cut to whole seconds. Throws `KeyError` for names that are no DNS name or IP address.
   */
  issueCertificate(request: CertificateRequest, issuer?: Issuer): Promise<string>;
  /** Makes a PKCS#10 request in PEM for `key`. */
  createCertificateSigningRequest(key: KeyPair, subject: Subject, names?: SubjectNames): Promise<string>;
  /** Reads a request in PEM; throws `KeyError` when it is malformed or its own signature is wrong. */
  parseCertificateSigningRequest(pem: string): Promise<ParsedSigningRequest>;
  /** Reads the first certificate of a PEM bundle; throws `KeyError` when there is none. */
  parseCertificate(pem: string): ParsedCertificate;
  /** True when `certificate` was signed by `issuer`'s key and both are in date at `nowMs`. */
  isIssuedBy(certificatePem: string, issuerPem: string, nowMs: number): boolean;
}

export type JwsAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

export interface PublicKey {
  readonly algorithm: JwsAlgorithm;
  /** SPKI. */
  readonly publicKeyPem: string;
  /** Base64url of SHA-256 over the DER public key, as upstream derives `kid`. */
  readonly keyId: string;
}

export interface KeyPair extends PublicKey {
  /** PKCS#8. A function, so that a key does not land in a log by itself. */
  privateKeyPem(): string;
}

/** Kubernetes reads the user from the common name, the groups from the organisations. */
export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

/** DNS names, `*.` wildcards included, and IP addresses in text. What is read comes back canonical (`2001:db8::1`). */
export interface SubjectNames {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
}

export type KeyUsage = 'digital signature' | 'key encipherment' | 'cert sign' | 'crl sign';
export type ExtendedKeyUsage = 'server auth' | 'client auth';

export interface CertificateRequest {
  readonly subject: Subject;
  readonly names?: SubjectNames;
  /** The subject's public key: SPKI in PEM, or the pair. */
  readonly publicKey: KeyPair | string;
  readonly isCertificateAuthority?: boolean;
  readonly usages: readonly (KeyUsage | ExtendedKeyUsage)[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hex, positive. Default: 16 bytes, from `secret` or, for fixed keys, from what the certificate says. */
  readonly serialNumber?: string;
}

export interface Issuer {
  readonly key: KeyPair;
  readonly certificatePem: string;
}

export interface ParsedCertificate {
  readonly subject: Subject;
  readonly issuer: Subject;
  readonly names: SubjectNames;
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isCertificateAuthority: boolean;
  /** Those that have a name here; others are left out. */
  readonly extendedUsages: readonly ExtendedKeyUsage[];
  readonly publicKeyPem: string;
  /** Lower-case hex of SHA-256 over the DER. */
  readonly fingerprint: string;
}

export interface ParsedSigningRequest {
  readonly subject: Subject;
  readonly names: SubjectNames;
  /** Names that are neither DNS nor IP: emails and URIs, which signers of nodes refuse. */
  readonly otherNames: readonly string[];
  readonly publicKeyPem: string;
}

/** Bad key material. The message says what was read and what is wrong, never its content. */
export class KeyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'KeyError';
  }
}
