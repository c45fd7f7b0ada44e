import type { ExtendedKeyUsage, KeyUsage, ParsedCertificate, Subject, SubjectNames } from '../../../libs/base/keys.ts';

/**
 * When a node asks for a certificate, and for which. Pure.
 *
 * Upstream's rule: a certificate is renewed when between 70 and 90 % of its life are over, each node at a moment of its
 * own, so that a cluster made in one minute does not renew in one minute.
 */
export type CertificatePurpose = 'client' | 'serving';

export interface WantedCertificate {
  readonly subject: Subject;
  readonly names: SubjectNames;
}

export type CertificateAction =
  | { readonly type: 'request'; readonly why: 'none' | 'expired' | 'due' | 'names' | 'subject' }
  /** Wall time at which it is to be renewed. */
  | { readonly type: 'keep'; readonly renewAtMs: number }
  /** Nobody knows yet what to ask for. */
  | { readonly type: 'wait' };

export interface SignerOf {
  readonly signerName: string;
  readonly usages: readonly (KeyUsage | ExtendedKeyUsage)[];
}

export const SIGNERS: Readonly<Record<CertificatePurpose, SignerOf>> = Object.freeze({
  client: {
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'] as const,
  },
  serving: { signerName: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'] as const },
});

const RENEW_FROM = 0.7;
const RENEW_WITHIN = 0.2;

/** `share`: in [0, 1), where between 70 and 90 % of the life; the same for one certificate. */
export function renewalTime(
  { notBeforeMs, notAfterMs }: Pick<ParsedCertificate, 'notBeforeMs' | 'notAfterMs'>,
  share: number,
): number {
  return notBeforeMs + Math.round((notAfterMs - notBeforeMs) * (RENEW_FROM + RENEW_WITHIN * share));
}

export function planCertificate(input: {
  readonly held: ParsedCertificate | undefined;
  readonly wanted: WantedCertificate | undefined;
  /** Wall time, as certificates have it. */
  readonly nowMs: number;
  readonly share: number;
}): CertificateAction {
  const { held, wanted, nowMs, share } = input;
  if (!wanted) return { type: 'wait' };
  if (!held) return { type: 'request', why: 'none' };
  if (nowMs >= held.notAfterMs) return { type: 'request', why: 'expired' };
  if (held.subject.commonName !== wanted.subject.commonName) return { type: 'request', why: 'subject' };
  if (!has(held.names.ip, wanted.names.ip) || !has(held.names.dns, wanted.names.dns)) {
    return { type: 'request', why: 'names' };
  }
  const renewAtMs = renewalTime(held, share);
  return nowMs >= renewAtMs ? { type: 'request', why: 'due' } : { type: 'keep', renewAtMs };
}

/** What it names beyond what is wanted does no harm. */
const has = (held: readonly string[] = [], wanted: readonly string[] = []): boolean =>
  wanted.every((name) => held.includes(name));

/** A node's own name as a user, with the group of all nodes. */
export const nodeSubject = (nodeName: string): Subject => ({
  commonName: `system:node:${nodeName}`,
  organizations: ['system:nodes'],
});

/**
 * What a node's own server is to be called: all addresses in its status. Undefined while it has none, as nobody signs a
 * certificate without names.
 */
export function servingNames(
  addresses: readonly { readonly type: string; readonly address: string }[],
): SubjectNames | undefined {
  const of = (kinds: readonly string[]) => [
    ...new Set(addresses.filter(({ type }) => kinds.includes(type)).map(({ address }) => address)),
  ];
  const ip = of(['InternalIP', 'ExternalIP']);
  const dns = of(['Hostname', 'InternalDNS', 'ExternalDNS']);
  return ip.length + dns.length === 0 ? undefined : { ip: ip.sort(), dns: dns.sort() };
}
