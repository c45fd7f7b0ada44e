import { type ExtendedKeyUsage, KeyError, type KeyUsage } from '../keys.ts';
import {
  bitString,
  boolean,
  DerError,
  type DerValue,
  expectTag,
  octetString,
  oid,
  readChildren,
  readDer,
  readOid,
  sequence,
  TAG,
} from './der.ts';

/** Object identifiers of the extensions (RFC 5280, 4.2.1) that certificates of a cluster have. */
export const EXTENSION = Object.freeze({
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
});

const EXTENDED: Readonly<Record<ExtendedKeyUsage, string>> = {
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
};

/** Which bit of the key usage says it. */
const USAGE_BIT: Readonly<Record<KeyUsage, number>> = {
  'digital signature': 0,
  'key encipherment': 2,
  'cert sign': 5,
  'crl sign': 6,
};

/** `value` is the extension's own DER. */
export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** The extensions that say what a key may do: key usage, extended key usage. */
export function usageExtensions(usages: readonly (KeyUsage | ExtendedKeyUsage)[]): Uint8Array[] {
  let bits = 0;
  const extended: Uint8Array[] = [];
  for (const usage of usages) {
    if (Object.hasOwn(USAGE_BIT, usage)) bits |= 0x80 >> USAGE_BIT[usage as KeyUsage];
    else if (Object.hasOwn(EXTENDED, usage)) extended.push(oid(EXTENDED[usage as ExtendedKeyUsage]));
    else throw new KeyError(`${JSON.stringify(usage)} is no usage of a key`);
  }
  const out: Uint8Array[] = [];
  if (bits !== 0) {
    // A named bit list is written without its trailing zeros.
    let unused = 0;
    while ((bits & (1 << unused)) === 0) unused++;
    out.push(extension(EXTENSION.keyUsage, true, bitString(Uint8Array.of(bits), unused)));
  }
  if (extended.length > 0) out.push(extension(EXTENSION.extendedKeyUsage, false, sequence(...extended)));
  return out;
}

export function readExtendedUsages(value: DerValue | undefined): ExtendedKeyUsage[] {
  const ids = value === undefined ? [] : readChildren(value).map(readOid);
  return ids.flatMap((id) => (Object.keys(EXTENDED) as ExtendedKeyUsage[]).filter((name) => EXTENDED[name] === id));
}

/** True for a basic constraints extension that says so. */
export function readIsAuthority(value: DerValue | undefined): boolean {
  const first = value && readChildren(value)[0];
  return first?.tag === TAG.boolean && first.body[0] !== 0;
}

/** The values of a list of extensions by object identifier. Throws `DerError` where one comes twice. */
export function readExtensions(list: DerValue | undefined): Map<string, DerValue> {
  const out = new Map<string, DerValue>();
  for (const entry of list === undefined ? [] : readChildren(list)) {
    const parts = readChildren(entry);
    const id = readOid(parts[0]);
    if (out.has(id)) throw new DerError(`the extension ${id} comes twice`);
    out.set(id, readDer(expectTag(parts.at(-1), TAG.octetString, 'an extension').body));
  }
  return out;
}
