import { KeyError, type Subject, type SubjectNames } from '../keys.ts';
import {
  type DerValue,
  expectTag,
  implicit,
  oid,
  readChildren,
  readOid,
  readText,
  sequence,
  set,
  TAG,
  utf8,
} from './der.ts';
import { formatIp, parseIp } from './ip-bytes.ts';

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const ORGANIZATIONAL_UNIT = '2.5.4.11';

/** A distinguished name: organisations, then the unit, then the common name. */
export function encodeSubject(subject: Subject, organizationalUnit?: string): Uint8Array {
  const part = (type: string, value: string) => set(sequence(oid(type), utf8(value)));
  return sequence(
    ...(subject.organizations ?? []).map((organization) => part(ORGANIZATION, organization)),
    ...(organizationalUnit === undefined ? [] : [part(ORGANIZATIONAL_UNIT, organizationalUnit)]),
    ...(subject.commonName === '' ? [] : [part(COMMON_NAME, subject.commonName)]),
  );
}

/** What Kubernetes reads of a distinguished name: the last common name, and all organisations in order. */
export function decodeSubject(name: DerValue | undefined): Subject {
  let commonName = '';
  const organizations: string[] = [];
  for (const part of readChildren(expectTag(name, TAG.sequence, 'a name'))) {
    for (const pair of readChildren(expectTag(part, TAG.set, 'a part of a name'))) {
      const [type, value] = readChildren(expectTag(pair, TAG.sequence, 'a part of a name'));
      const text = value && readText(value);
      if (text === undefined) continue;
      const key = readOid(type);
      if (key === COMMON_NAME) commonName = text;
      else if (key === ORGANIZATION) organizations.push(text);
    }
  }
  return organizations.length > 0 ? { commonName, organizations } : { commonName };
}

// GeneralName's choices (RFC 5280, 4.2.1.6).
const EMAIL = 0x81;
const DNS = 0x82;
const DIRECTORY = 0xa4;
const URI = 0x86;
const IP = 0x87;

/** The value of a subject alternative name extension, or undefined where there are no names. Throws `KeyError`. */
export function encodeAlternativeNames(names: SubjectNames | undefined): Uint8Array | undefined {
  const dns = (names?.dns ?? []).map((name) => {
    if (!isDnsName(name)) throw new KeyError(`${JSON.stringify(name)} is no DNS name`);
    return implicit(DNS & 0x1f, new TextEncoder().encode(name));
  });
  const ip = (names?.ip ?? []).map((address) => {
    const bytes = parseIp(address);
    if (bytes === undefined) throw new KeyError(`${JSON.stringify(address)} is no IP address`);
    return implicit(IP & 0x1f, bytes);
  });
  return dns.length + ip.length > 0 ? sequence(...dns, ...ip) : undefined;
}

export interface AlternativeNames {
  readonly names: SubjectNames;
  readonly otherNames: readonly string[];
}

/** Reads a subject alternative name extension's value; undefined gives no names. */
export function decodeAlternativeNames(extension: DerValue | undefined): AlternativeNames {
  const dns: string[] = [];
  const ip: string[] = [];
  const otherNames: string[] = [];
  const ascii = (value: DerValue) => new TextDecoder().decode(value.body);
  for (const name of extension === undefined ? [] : readChildren(extension)) {
    if (name.tag === DNS) dns.push(ascii(name));
    else if (name.tag === IP && (name.body.length === 4 || name.body.length === 16)) ip.push(formatIp(name.body));
    else if (name.tag === EMAIL || name.tag === URI) otherNames.push(ascii(name));
    else otherNames.push(name.tag === DIRECTORY ? 'a directory name' : `a name of type ${name.tag & 0x1f}`);
  }
  return { names: { ...(dns.length > 0 && { dns }), ...(ip.length > 0 && { ip }) }, otherNames };
}

/** Labels of letters, digits, hyphens and underscores, 253 characters at most; the first label may be `*`. */
function isDnsName(name: string): boolean {
  const label = '[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?';
  return name.length <= 253 && new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`).test(name);
}
