import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign as cryptoSign,
  verify as cryptoVerify,
  hash,
  type KeyObject,
  timingSafeEqual,
  X509Certificate,
} from 'node:crypto';
import { encodeBase64Url } from '../base64.ts';
import {
  type CertificateRequest,
  type Issuer,
  type JwsAlgorithm,
  KeyError,
  type KeyPair,
  type Keys,
  type ParsedCertificate,
  type ParsedSigningRequest,
  type PublicKey,
  type Subject,
  type SubjectNames,
} from '../keys.ts';
import { buildCertificate, type CertificateFacts, publicKeyBits, readCertificate } from '../x509/certificate.ts';
import { decodePem, encodePem } from '../x509/pem.ts';
import { buildSigningRequest, readSigningRequest } from '../x509/signing-request.ts';

/** How many public keys stay parsed: a cluster has a handful of issuers; more are parsed anew. */
const PARSED_KEYS_MAX = 64;

/** Hashes of the signature algorithms that requests come with; undefined: the algorithm has its own. */
const REQUEST_HASH: ReadonlyMap<string, string | undefined> = new Map([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', undefined],
]);

/** `KeyPair` over a key of Node's. Its private half shows neither in a log nor in JSON. */
export class CryptoKeyPair implements KeyPair {
  readonly algorithm: JwsAlgorithm;
  readonly publicKeyPem: string;
  readonly keyId: string;
  readonly publicKeyDer: Uint8Array;
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    const algorithm = algorithmOf(key);
    if (algorithm === undefined) throw new KeyError(`a key is ${describe(key)}: want ECDSA P-256, RSA or Ed25519`);
    this.algorithm = algorithm;
    this.#key = key;
    this.publicKeyDer = exportDer(createPublicKey(key));
    this.publicKeyPem = encodePem('PUBLIC KEY', this.publicKeyDer);
    this.keyId = encodeBase64Url(hash('sha256', this.publicKeyDer, 'buffer'));
  }

  privateKeyPem(): string {
    return this.#key.export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  /** The form of the signature: a JWS's, or a certificate's. They differ for ECDSA. */
  sign(data: Uint8Array, form: 'jws' | 'x509'): Uint8Array {
    const hashName = this.algorithm === 'EdDSA' ? null : 'sha256';
    return cryptoSign(hashName, data, { key: this.#key, dsaEncoding: form === 'jws' ? 'ieee-p1363' : 'der' });
  }
}

/** All of `Keys` that does not depend on where new keys, serial numbers and secrets come from. */
export abstract class CryptoKeys implements Keys {
  readonly #publicKeys = new Map<string, KeyObject>();

  abstract secret(length: number): Uint8Array;
  abstract generateKey(purpose: string): Promise<KeyPair>;
  /** 16 bytes. `content` gives the certificate as it would be under another serial number. */
  protected abstract serialNumber(content: () => Uint8Array): Uint8Array;
  /** Stands in every issued certificate. */
  protected readonly organizationalUnit: string | undefined = undefined;

  digest(algorithm: 'sha1' | 'sha256' | 'sha512', data: Uint8Array | string): Uint8Array {
    return hash(algorithm, data, 'buffer');
  }

  hmac(secret: Uint8Array, data: Uint8Array | string): Uint8Array {
    return createHmac('sha256', secret).update(data).digest();
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return a.length === b.length && timingSafeEqual(a, b);
  }

  importKey(privateKeyPem: string): KeyPair {
    let key: KeyObject;
    try {
      key = createPrivateKey(privateKeyPem);
    } catch (error) {
      throw new KeyError(`a private key cannot be read: ${reason(error)}`);
    }
    return new CryptoKeyPair(key);
  }

  importPublicKey(pem: string): PublicKey {
    const key = this.#publicKey(pem);
    const algorithm = algorithmOf(key);
    if (algorithm === undefined) throw new KeyError(`a key is ${describe(key)}: want ECDSA P-256, RSA or Ed25519`);
    const der = exportDer(key);
    return {
      algorithm,
      publicKeyPem: encodePem('PUBLIC KEY', der),
      keyId: encodeBase64Url(hash('sha256', der, 'buffer')),
    };
  }

  sign(key: KeyPair, data: Uint8Array | string): Uint8Array {
    return this.#own(key).sign(bytes(data), 'jws');
  }

  verify(publicKeyPem: string, alg: JwsAlgorithm, data: Uint8Array | string, signature: Uint8Array): boolean {
    try {
      const key = this.#publicKey(publicKeyPem);
      // The algorithm is the key's, never the token's to choose.
      if (algorithmOf(key) !== alg) return false;
      const hashName = alg === 'EdDSA' ? null : 'sha256';
      return cryptoVerify(hashName, bytes(data), { key, dsaEncoding: 'ieee-p1363' }, signature);
    } catch {
      return false;
    }
  }

  async issueCertificate(request: CertificateRequest, issuer?: Issuer): Promise<string> {
    const subjectKey = typeof request.publicKey === 'string' ? request.publicKey : request.publicKey.publicKeyPem;
    const publicKeyDer = exportDer(this.#publicKey(subjectKey));
    if (!issuer && typeof request.publicKey === 'string') {
      throw new KeyError('a self-signed certificate wants the key pair that signs, not a public key');
    }
    const signer = this.#own(issuer?.key ?? (request.publicKey as KeyPair));
    const authority = issuer && this.#readCertificate(issuer.certificatePem).facts;
    const build = (serialNumber: Uint8Array) =>
      buildCertificate(
        {
          request,
          publicKeyDer,
          organizationalUnit: this.organizationalUnit,
          issuerNameDer: authority?.subjectDer,
          subjectKeyId: keyIdentifier(publicKeyDer),
          authorityKeyId: authority?.subjectKeyId ?? keyIdentifier(signer.publicKeyDer),
          serialNumber,
        },
        { algorithm: signer.algorithm, sign: (data) => signer.sign(data, 'x509') },
      );
    const given = request.serialNumber;
    return encodePem('CERTIFICATE', build(given ? readSerial(given) : this.#newSerial(build)));
  }

  async createCertificateSigningRequest(key: KeyPair, subject: Subject, names?: SubjectNames): Promise<string> {
    const own = this.#own(key);
    const signer = { algorithm: own.algorithm, sign: (data: Uint8Array) => own.sign(data, 'x509') };
    return encodePem('CERTIFICATE REQUEST', buildSigningRequest(subject, names, own.publicKeyDer, signer));
  }

  async parseCertificateSigningRequest(pem: string): Promise<ParsedSigningRequest> {
    const block = decodePem(pem).find(({ label }) => /^(NEW )?CERTIFICATE REQUEST$/.test(label));
    if (!block) throw new KeyError('there is no CERTIFICATE REQUEST block in the PEM');
    const { subject, names, otherNames, publicKeyDer, toSign, algorithm, signature } = orKeyError(
      'a certificate signing request',
      () => readSigningRequest(block.der),
    );
    if (!REQUEST_HASH.has(algorithm)) {
      throw new KeyError(`a certificate signing request is signed by an algorithm that is not taken: ${algorithm}`);
    }
    const publicKeyPem = encodePem('PUBLIC KEY', publicKeyDer);
    const signed = orKeyError('a certificate signing request', () =>
      cryptoVerify(REQUEST_HASH.get(algorithm) ?? null, toSign, this.#publicKey(publicKeyPem), signature),
    );
    if (!signed) throw new KeyError('a certificate signing request is not signed by its own key');
    return { subject, names, otherNames, publicKeyPem };
  }

  parseCertificate(pem: string): ParsedCertificate {
    const { der, facts } = this.#readCertificate(pem);
    const { subject, issuer, names, notBeforeMs, notAfterMs, isCertificateAuthority, extendedUsages } = facts;
    return {
      ...{ subject, issuer, names, notBeforeMs, notAfterMs, isCertificateAuthority, extendedUsages },
      serialNumber: hex(stripZeros(facts.serialNumber)),
      publicKeyPem: encodePem('PUBLIC KEY', facts.publicKeyDer),
      fingerprint: hash('sha256', der, 'hex'),
    };
  }

  isIssuedBy(certificatePem: string, issuerPem: string, nowMs: number): boolean {
    try {
      const certificate = this.#readCertificate(certificatePem);
      const issuer = this.#readCertificate(issuerPem);
      const inDate = ({ notBeforeMs, notAfterMs }: CertificateFacts) => notBeforeMs <= nowMs && nowMs <= notAfterMs;
      if (!issuer.facts.isCertificateAuthority || !inDate(certificate.facts) || !inDate(issuer.facts)) return false;
      const [child, parent] = [new X509Certificate(certificate.der), new X509Certificate(issuer.der)];
      return child.checkIssued(parent) && child.verify(parent.publicKey);
    } catch {
      return false;
    }
  }

  #newSerial(build: (serialNumber: Uint8Array) => Uint8Array): Uint8Array {
    const serial = Uint8Array.from(this.serialNumber(() => build(Uint8Array.of(1))));
    // Positive, and always 16 bytes long.
    serial[0] = (serial[0]! & 0x7f) | 0x40;
    return serial;
  }

  #readCertificate(pem: string): { der: Uint8Array; facts: CertificateFacts } {
    const block = decodePem(pem).find(({ label }) => label === 'CERTIFICATE');
    if (!block) throw new KeyError('there is no CERTIFICATE block in the PEM');
    return { der: block.der, facts: orKeyError('a certificate', () => readCertificate(block.der)) };
  }

  #publicKey(pem: string): KeyObject {
    const known = this.#publicKeys.get(pem);
    if (known) return known;
    let key: KeyObject;
    try {
      key = createPublicKey(pem);
    } catch (error) {
      throw new KeyError(`a public key cannot be read: ${reason(error)}`);
    }
    if (this.#publicKeys.size >= PARSED_KEYS_MAX) {
      const [oldest] = this.#publicKeys.keys();
      this.#publicKeys.delete(oldest!);
    }
    this.#publicKeys.set(pem, key);
    return key;
  }

  #own(key: KeyPair): CryptoKeyPair {
    return key instanceof CryptoKeyPair ? key : (this.importKey(key.privateKeyPem()) as CryptoKeyPair);
  }
}

function algorithmOf(key: KeyObject): JwsAlgorithm | undefined {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : undefined;
    case 'rsa':
      return 'RS256';
    case 'ed25519':
      return 'EdDSA';
    default:
      return undefined;
  }
}

function describe(key: KeyObject): string {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return `${key.asymmetricKeyType}${curve ? ` on ${curve}` : ''}`;
}

const exportDer = (key: KeyObject): Uint8Array => key.export({ type: 'spki', format: 'der' });

/** RFC 7093's first method: the left 20 bytes of the SHA-256 of the key's bits. */
function keyIdentifier(publicKeyDer: Uint8Array): Uint8Array {
  return hash('sha256', publicKeyBits(publicKeyDer), 'buffer').subarray(0, 20);
}

function readSerial(text: string): Uint8Array {
  if (!/^[0-9a-f]{1,40}$/i.test(text) || /^0*$/.test(text)) {
    throw new KeyError(`${JSON.stringify(text)} is no serial number: want up to 40 hexadecimal digits, not all zero`);
  }
  return Uint8Array.from(Buffer.from(text.padStart(text.length + (text.length % 2), '0'), 'hex'));
}

function stripZeros(data: Uint8Array): Uint8Array {
  let first = 0;
  while (first < data.length - 1 && data[first] === 0) first++;
  return data.subarray(first);
}

const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const bytes = (data: Uint8Array | string): Uint8Array => (typeof data === 'string' ? Buffer.from(data) : data);

/** OpenSSL's words for what is wrong, which never hold the key. */
const reason = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/^error:[0-9A-F]+:/, '') : '';

function orKeyError<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new KeyError(`${what} cannot be read: ${reason(error)}`);
  }
}
