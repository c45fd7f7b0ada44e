import type { Clock } from '../../../libs/base/clock.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import { encodePem } from '../../../libs/base/x509/pem.ts';
import type { UserInfo } from '../../../libs/kind/request.ts';
import type { ApiRequest } from '../api.ts';
import type { Authenticator } from './authenticator.ts';

/** Who may say in headers whom a request is of, as `extension-apiserver-authentication` tells it to others, too. */
export interface RequestHeaderTrust {
  /** The authority of proxies, in PEM: never that of clients, who would be anybody. */
  readonly authorityPem: string;
  /** The common names that its certificates must have; none: any. */
  readonly allowedNames: readonly string[];
}

export const USER_HEADER = 'X-Remote-User';
export const GROUP_HEADER = 'X-Remote-Group';
export const UID_HEADER = 'X-Remote-Uid';
export const EXTRA_PREFIX = 'X-Remote-Extra-';
const KNOWN_MAX = 256;

export interface RequestHeaderOptions extends RequestHeaderTrust {
  readonly keys: Keys;
  readonly clock: Clock;
}

/**
 * The user of a request that a proxy in front has already identified (API concept "Authenticating proxy"): it stands in
 * headers, which count only over a connection with a certificate of the proxies' own authority.
 */
export function requestHeaderAuthenticator({ keys, clock, ...trust }: RequestHeaderOptions): Authenticator {
  const trusted = new WeakMap<Uint8Array, boolean>();
  const byFingerprint = new Map<string, boolean>();

  const verify = (der: Uint8Array): boolean => {
    try {
      const pem = encodePem('CERTIFICATE', der);
      const certificate = keys.parseCertificate(pem);
      let known = byFingerprint.get(certificate.fingerprint);
      if (known === undefined) {
        known =
          keys.isIssuedBy(pem, trust.authorityPem, clock.now()) &&
          certificate.extendedUsages.includes('client auth') &&
          (trust.allowedNames.length === 0 || trust.allowedNames.includes(certificate.subject.commonName));
        if (byFingerprint.size >= KNOWN_MAX) byFingerprint.clear();
        byFingerprint.set(certificate.fingerprint, known);
      }
      return known && clock.now() <= certificate.notAfterMs;
    } catch {
      return false;
    }
  };

  return {
    name: 'request header',
    authenticate({ peer, headers }) {
      const name = valuesOf(headers, USER_HEADER)[0];
      const der = peer.certificateDer;
      if (!name || !der) return undefined;
      const known = trusted.get(der) ?? verify(der);
      trusted.set(der, known);
      return known ? userOf(name, headers) : undefined;
    },
  };
}

function userOf(name: string, headers: ApiRequest['headers']): UserInfo {
  const extra: Record<string, string[]> = {};
  const prefix = EXTRA_PREFIX.toLowerCase();
  for (const header of Object.keys(headers)) {
    if (header.startsWith(prefix)) extra[unescape(header.slice(prefix.length))] = valuesOf(headers, header);
  }
  const uid = valuesOf(headers, UID_HEADER)[0];
  return { name, ...(uid ? { uid } : {}), groups: valuesOf(headers, GROUP_HEADER), extra };
}

/** The headers in which a user is told to a server behind: the other way round. */
export function headersOf(user: UserInfo): [name: string, value: string][] {
  return [
    [USER_HEADER, user.name],
    ...(user.uid ? [[UID_HEADER, user.uid] as [string, string]] : []),
    ...user.groups.map((group): [string, string] => [GROUP_HEADER, group]),
    ...Object.entries(user.extra).flatMap(([key, values]) =>
      values.map((value): [string, string] => [`${EXTRA_PREFIX}${encodeURIComponent(key)}`, value]),
    ),
  ];
}

function valuesOf(headers: ApiRequest['headers'], name: string): string[] {
  const value = headers[name.toLowerCase()];
  return value === undefined ? [] : typeof value === 'string' ? [value] : [...value];
}

function unescape(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
