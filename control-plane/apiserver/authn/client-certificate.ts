import type { Clock } from '../../../libs/base/clock.ts';
import type { Keys, ParsedCertificate } from '../../../libs/base/keys.ts';
import { encodePem } from '../../../libs/base/x509/pem.ts';
import type { UserInfo } from '../../../libs/kind/request.ts';
import { unauthorized } from '../../../libs/machinery/errors.ts';
import type { Authenticator } from './authenticator.ts';

export interface ClientCertificateOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  /** The authority whose certificates say who somebody is, in PEM. */
  readonly clientAuthorityPem: string;
  /** Told of each request with a certificate: how long that is still good for, 0 where it is not. */
  readonly validFor?: (ms: number) => void;
}

/** How many certificates are remembered as verified. A connection sends the same one with every request. */
const KNOWN_MAX = 1024;

interface Known {
  readonly certificate: ParsedCertificate;
  readonly user: UserInfo;
}

/**
 * The user is the certificate's common name, the groups are its organisations (API concept "X.509 client certificates").
 * 401 for one that the authority did not issue, that is out of date or is not meant for clients.
 */
export function clientCertificateAuthenticator(options: ClientCertificateOptions): Authenticator {
  const { keys, clock, clientAuthorityPem, validFor } = options;
  const byDer = new WeakMap<Uint8Array, Known>();
  const byFingerprint = new Map<string, Known>();

  const verify = (der: Uint8Array): Known => {
    const pem = encodePem('CERTIFICATE', der);
    const certificate = keys.parseCertificate(pem);
    const known = byFingerprint.get(certificate.fingerprint);
    if (known) return known;
    if (!keys.isIssuedBy(pem, clientAuthorityPem, clock.now())) throw unauthorized();
    if (!certificate.extendedUsages.includes('client auth')) throw unauthorized();
    const { commonName, organizations = [] } = certificate.subject;
    const user = {
      name: commonName,
      groups: [...organizations],
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.fingerprint}`] },
    };
    if (byFingerprint.size >= KNOWN_MAX) byFingerprint.clear();
    byFingerprint.set(certificate.fingerprint, { certificate, user });
    return { certificate, user };
  };

  return {
    name: 'client certificate',
    authenticate({ peer }) {
      const der = peer.certificateDer;
      if (!der) return undefined;
      let known = byDer.get(der);
      if (!known) {
        try {
          known = verify(der);
        } catch {
          throw unauthorized();
        }
        byDer.set(der, known);
      }
      const nowMs = clock.now();
      validFor?.(Math.max(0, known.certificate.notAfterMs - nowMs));
      if (nowMs < known.certificate.notBeforeMs || nowMs > known.certificate.notAfterMs) throw unauthorized();
      return known.user;
    },
  };
}
