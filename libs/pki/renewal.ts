import { formatTime } from '../base/clock.ts';
import type { Keys, ParsedCertificate } from '../base/keys.ts';
import { canonicalIp } from '../machinery/ip.ts';
import type { LeafSpec } from './layout.ts';

/** A certificate is renewed when less than this share of its life is left. */
export const RENEW_AT_SHARE_LEFT = 0.3;

/** The instant from which a certificate is due for renewal. */
export function renewAtMs({ notBeforeMs, notAfterMs }: Pick<ParsedCertificate, 'notBeforeMs' | 'notAfterMs'>): number {
  return notAfterMs - (notAfterMs - notBeforeMs) * RENEW_AT_SHARE_LEFT;
}

/** Why a certificate's dates ask for a new one, in words for a log; undefined when they do not. */
export function whyRenew(certificate: ParsedCertificate, nowMs: number): string | undefined {
  if (nowMs >= certificate.notAfterMs) return `it expired at ${formatTime(certificate.notAfterMs)}`;
  if (nowMs >= renewAtMs(certificate)) return `it expires at ${formatTime(certificate.notAfterMs)}`;
  if (nowMs < certificate.notBeforeMs) return `it is not valid before ${formatTime(certificate.notBeforeMs)}`;
  return undefined;
}

/** What lies in a leaf's two files; undefined: no such file. */
export interface StoredPair {
  readonly certificatePem: string | undefined;
  readonly privateKeyPem: string | undefined;
}

/**
 * Why a leaf has to be made anew, or undefined when what is stored serves. Names beyond those that are wanted do no
 * harm: addresses come and go.
 */
export function whyReissue(
  keys: Keys,
  stored: StoredPair,
  spec: LeafSpec,
  authorityPem: string,
  nowMs: number,
): string | undefined {
  const { certificatePem, privateKeyPem } = stored;
  if (certificatePem === undefined || privateKeyPem === undefined) return 'it is missing';
  let certificate: ParsedCertificate;
  let publicKeyPem: string;
  try {
    certificate = keys.parseCertificate(certificatePem);
    publicKeyPem = keys.importKey(privateKeyPem).publicKeyPem;
  } catch (error) {
    return `it cannot be read (${(error as Error).message})`;
  }
  if (certificate.publicKeyPem !== publicKeyPem) return 'its key is another one';
  const dates = whyRenew(certificate, nowMs);
  if (dates !== undefined) return dates;
  if (!keys.isIssuedBy(certificatePem, authorityPem, nowMs))
    return `it was not issued by the present ${spec.authority}`;
  if (!sameSubject(certificate, spec)) return `its subject is ${certificate.subject.commonName}`;
  const missing = missingNames(certificate, spec);
  return missing.length > 0 ? `it lacks ${missing.join(', ')}` : undefined;
}

function sameSubject({ subject }: ParsedCertificate, spec: LeafSpec): boolean {
  const [have, want] = [subject.organizations ?? [], spec.subject.organizations ?? []];
  return (
    subject.commonName === spec.subject.commonName &&
    have.length === want.length &&
    want.every((organization) => have.includes(organization))
  );
}

function missingNames({ names }: ParsedCertificate, spec: LeafSpec): string[] {
  const dns = new Set(names.dns);
  const ip = new Set(names.ip?.map(canonicalIp));
  return [
    ...(spec.names?.dns ?? []).filter((name) => !dns.has(name)),
    ...(spec.names?.ip ?? []).filter((address) => !ip.has(canonicalIp(address))),
  ];
}
