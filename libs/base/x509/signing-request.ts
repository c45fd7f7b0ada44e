/** Certificate signing requests (PKCS#10, RFC 2986) as DER. */
import type { Subject, SubjectNames } from '../keys.ts';
import { readSigned, SIGNATURE_ALGORITHM, type Signer } from './certificate.ts';
import {
  bitString,
  context,
  DerError,
  expectTag,
  integer,
  oid,
  readChildren,
  readOid,
  sequence,
  set,
  TAG,
} from './der.ts';
import { EXTENSION, extension, readExtensions } from './extensions.ts';
import {
  type AlternativeNames,
  decodeAlternativeNames,
  decodeSubject,
  encodeAlternativeNames,
  encodeSubject,
} from './names.ts';

/** The attribute that carries the extensions that are asked for. */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

export function buildSigningRequest(
  subject: Subject,
  names: SubjectNames | undefined,
  publicKeyDer: Uint8Array,
  signer: Signer,
): Uint8Array {
  const value = encodeAlternativeNames(names);
  const attributes = value
    ? [sequence(oid(EXTENSION_REQUEST), set(sequence(extension(EXTENSION.alternativeNames, false, value))))]
    : [];
  const toSign = sequence(integer(0), encodeSubject(subject), publicKeyDer, context(0, ...attributes));
  return sequence(toSign, SIGNATURE_ALGORITHM[signer.algorithm](), bitString(signer.sign(toSign)));
}

export interface SigningRequestFacts extends AlternativeNames {
  readonly subject: Subject;
  readonly publicKeyDer: Uint8Array;
  /** What is signed, by which algorithm (its object identifier), and the signature. */
  readonly toSign: Uint8Array;
  readonly algorithm: string;
  readonly signature: Uint8Array;
}

/** Reads a request without checking its signature. Throws `DerError`. */
export function readSigningRequest(requestDer: Uint8Array): SigningRequestFacts {
  const { toSign, algorithm, signature } = readSigned(requestDer);
  const [version, subject, publicKey, attributes] = readChildren(toSign);
  if (expectTag(version, TAG.integer, 'the version').body[0] !== 0) throw new DerError('the version is not 0');
  let names: AlternativeNames = { names: {}, otherNames: [] };
  for (const attribute of attributes === undefined ? [] : readChildren(attributes)) {
    const [type, values] = readChildren(attribute);
    if (readOid(type) !== EXTENSION_REQUEST) continue;
    const list = readChildren(expectTag(values, TAG.set, 'an attribute'))[0];
    names = decodeAlternativeNames(readExtensions(list).get(EXTENSION.alternativeNames));
  }
  return {
    ...names,
    subject: decodeSubject(subject),
    publicKeyDer: expectTag(publicKey, TAG.sequence, 'the public key').raw,
    toSign: toSign.raw,
    algorithm: readOid(readChildren(algorithm)[0]),
    signature,
  };
}
