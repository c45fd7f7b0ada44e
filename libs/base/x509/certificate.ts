/**
 * X.509 certificates (RFC 5280) as DER: what a cluster needs of them, without a key in sight. Who signs is a function;
 * its algorithm and the keys' identifiers come with it.
 */
import type { CertificateRequest, Subject } from '../keys.ts';
import {
  bitString,
  boolean,
  context,
  type DerValue,
  der,
  expectTag,
  implicit,
  integer,
  octetString,
  oid,
  readBitString,
  readChildren,
  readDer,
  readTime,
  sequence,
  TAG,
  time,
} from './der.ts';
import {
  EXTENSION,
  extension,
  readExtendedUsages,
  readExtensions,
  readIsAuthority,
  usageExtensions,
} from './extensions.ts';
import {
  type AlternativeNames,
  decodeAlternativeNames,
  decodeSubject,
  encodeAlternativeNames,
  encodeSubject,
} from './names.ts';

/** Signature algorithms by what a key of ours is called; the value is an AlgorithmIdentifier. */
export const SIGNATURE_ALGORITHM: Readonly<Record<'ES256' | 'RS256' | 'EdDSA', () => Uint8Array>> = {
  ES256: () => sequence(oid('1.2.840.10045.4.3.2')),
  RS256: () => sequence(oid('1.2.840.113549.1.1.11'), der(TAG.null)),
  EdDSA: () => sequence(oid('1.3.101.112')),
};

export interface Signer {
  readonly algorithm: keyof typeof SIGNATURE_ALGORITHM;
  /** The signature as X.509 has it (ECDSA: a sequence of two integers). */
  sign(data: Uint8Array): Uint8Array;
}

export interface CertificateParts {
  readonly request: CertificateRequest;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  readonly organizationalUnit?: string;
  /** Undefined: the subject itself. */
  readonly issuerNameDer?: Uint8Array;
  readonly subjectKeyId: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  /** Big-endian, positive. */
  readonly serialNumber: Uint8Array;
}

/** The certificate's DER. Throws `KeyError` for names or usages that are none. */
export function buildCertificate(parts: CertificateParts, signer: Signer): Uint8Array {
  const { request } = parts;
  const subject = encodeSubject(request.subject, parts.organizationalUnit);
  const names = encodeAlternativeNames(request.names);
  const algorithm = SIGNATURE_ALGORITHM[signer.algorithm]();
  const extensions = [
    ...usageExtensions(request.usages),
    extension(EXTENSION.basicConstraints, true, request.isCertificateAuthority ? sequence(boolean(true)) : sequence()),
    extension(EXTENSION.subjectKeyId, false, octetString(parts.subjectKeyId)),
    extension(EXTENSION.authorityKeyId, false, sequence(implicit(0, parts.authorityKeyId))),
    // Where the subject is empty the names are all there is, and RFC 5280 wants them critical.
    ...(names ? [extension(EXTENSION.alternativeNames, request.subject.commonName === '', names)] : []),
  ];
  const toSign = sequence(
    context(0, integer(2)), // version 3
    integer(parts.serialNumber),
    algorithm,
    parts.issuerNameDer ?? subject,
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    subject,
    parts.publicKeyDer,
    context(3, sequence(...extensions)),
  );
  return sequence(toSign, algorithm, bitString(signer.sign(toSign)));
}

export interface CertificateFacts extends AlternativeNames {
  readonly subject: Subject;
  readonly issuer: Subject;
  /** The subject as it stands there: what an issued certificate has to repeat to the byte. */
  readonly subjectDer: Uint8Array;
  readonly serialNumber: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKeyDer: Uint8Array;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly isCertificateAuthority: boolean;
  readonly extendedUsages: ReturnType<typeof readExtendedUsages>;
}

/** Reads what `buildCertificate` writes and what others do. Checks no signature. Throws `DerError`. */
export function readCertificate(certificateDer: Uint8Array): CertificateFacts {
  const fields = readChildren(readSigned(certificateDer).toSign);
  if (fields[0]?.tag === 0xa0) fields.shift(); // the version
  const [serial, , issuer, validity, subject, publicKey, ...rest] = fields;
  const [notBefore, notAfter] = readChildren(expectTag(validity, TAG.sequence, 'the validity'));
  const list = rest.find((value) => value.tag === 0xa3);
  const extensions = readExtensions(list && readDer(list.body));
  const subjectKeyId = extensions.get(EXTENSION.subjectKeyId);
  return {
    ...decodeAlternativeNames(extensions.get(EXTENSION.alternativeNames)),
    subject: decodeSubject(subject),
    issuer: decodeSubject(issuer),
    subjectDer: expectTag(subject, TAG.sequence, 'the subject').raw,
    serialNumber: expectTag(serial, TAG.integer, 'the serial number').body,
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    publicKeyDer: expectTag(publicKey, TAG.sequence, 'the public key').raw,
    subjectKeyId: subjectKeyId && expectTag(subjectKeyId, TAG.octetString, 'the key identifier').body,
    isCertificateAuthority: readIsAuthority(extensions.get(EXTENSION.basicConstraints)),
    extendedUsages: readExtendedUsages(extensions.get(EXTENSION.extendedKeyUsage)),
  };
}

/** The key's bits of a SubjectPublicKeyInfo, which key identifiers are made from. */
export function publicKeyBits(publicKeyDer: Uint8Array): Uint8Array {
  const [, bits] = readChildren(readDer(publicKeyDer));
  return readBitString(bits, 'the public key');
}

/** A signed thing's three parts: certificates and requests have them alike. */
export function readSigned(signedDer: Uint8Array): {
  readonly toSign: DerValue;
  readonly algorithm: DerValue;
  readonly signature: Uint8Array;
} {
  const [toSign, algorithm, signature] = readChildren(expectTag(readDer(signedDer), TAG.sequence, 'the whole'));
  return {
    toSign: expectTag(toSign, TAG.sequence, 'the signed part'),
    algorithm: expectTag(algorithm, TAG.sequence, 'the signature algorithm'),
    signature: readBitString(signature, 'the signature'),
  };
}
