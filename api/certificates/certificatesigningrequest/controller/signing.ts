import type {
  ExtendedKeyUsage,
  Issuer,
  KeyUsage,
  ParsedCertificate,
  ParsedSigningRequest,
} from '../../../../libs/base/keys.ts';
import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { certificateSigningRequests } from '../../../resources.ts';
import type { CertificateSigningRequest } from '../../../types/certificates/v1.generated.ts';
import { certificateBytes, hasTrue, isApproved, type Request, readRequest, SIGNER, whyNotSigned } from './request.ts';

export interface SigningSettings {
  readonly authority: Issuer;
  /** How long certificates live, and the most that one may ask for. Default one year. */
  readonly durationMsMax?: number;
}

export interface Observed {
  readonly request: Request;
  readonly asked: ParsedSigningRequest;
  readonly authority: Pick<ParsedCertificate, 'notAfterMs'>;
  readonly durationMsMax: number;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'sign'; readonly notBeforeMs: number; readonly notAfterMs: number }
  | { readonly type: 'fail'; readonly message: string }
);

const YEAR_MS = 365 * 86_400_000;
/** Certificates start in the past, for peers whose clocks are behind. */
const BACKDATE_MS = 5 * 60_000;
const DURATION_MS_MIN = 10 * 60_000;
/** A certificate shorter than this lives its whole time from now on; longer ones count from their start. */
const SHORT_MS = 8 * 3_600_000;
const SIGNERS: ReadonlySet<string> = new Set(Object.values(SIGNER));

/** Signs what is approved and fits its signer; says why where it does not fit. */
export function plan({ request, asked, authority, durationMsMax }: Observed, nowMs: number): Plan<Action> {
  const { spec, status } = request;
  const isOpen = SIGNERS.has(spec.signerName) && isApproved(request) && !hasTrue(request, 'Failed');
  if (!isOpen || status?.certificate) return { actions: [] };
  const message = whyNotSigned(spec.signerName, asked, spec.usages ?? []);
  if (message !== undefined) return { actions: [{ type: 'fail', message, reason: 'not what its signer signs' }] };
  const wantedMs = spec.expirationSeconds === undefined ? durationMsMax : spec.expirationSeconds * 1000;
  const durationMs = Math.min(Math.max(wantedMs, DURATION_MS_MIN), durationMsMax);
  const notAfterMs = nowMs + (durationMs < SHORT_MS ? durationMs : durationMs - BACKDATE_MS);
  const span = { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: Math.min(notAfterMs, authority.notAfterMs) };
  return { actions: [{ type: 'sign', reason: 'approved', ...span }] };
}

/** Signs for Kubernetes' own signers with the cluster's authority. Throws `KeyError` for an authority that is none. */
export function csrSigningController({
  authority,
  durationMsMax = YEAR_MS,
}: SigningSettings): Reconciler<Observed, Action> {
  return {
    name: 'certificatesigningrequest-signing-controller',
    watches: [watching(certificateSigningRequests, ownKey)],
    async observe({ informers, keys }, name) {
      const request = informers.informer(certificateSigningRequests).get(name);
      if (!request || !isApproved(request) || request.status?.certificate) return undefined;
      const asked = await readRequest(keys, request);
      return asked && { request, asked, durationMsMax, authority: keys.parseCertificate(authority.certificatePem) };
    },
    plan,
    async apply({ client, keys }, action, { request, asked }) {
      const requests = client.resource(certificateSigningRequests).subresource('status');
      if (action.type === 'fail') {
        const { message } = action;
        const condition = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message };
        const conditions = [...(request.status?.conditions ?? []), condition];
        const failed = {
          ...request,
          status: { ...request.status, conditions },
        } as unknown as CertificateSigningRequest;
        const { metadata } = await requests.update(failed);
        return [{ ref: certificateSigningRequests, resourceVersion: metadata.resourceVersion }];
      }
      const certificatePem = await keys.issueCertificate(
        {
          subject: asked.subject,
          names: asked.names,
          publicKey: asked.publicKeyPem,
          usages: (request.spec.usages ?? []) as (KeyUsage | ExtendedKeyUsage)[],
          notBeforeMs: action.notBeforeMs,
          notAfterMs: action.notAfterMs,
        },
        authority,
      );
      const status = { ...request.status, certificate: certificateBytes(certificatePem) };
      const { metadata } = await requests.update({ ...request, status } as unknown as CertificateSigningRequest);
      return [{ ref: certificateSigningRequests, resourceVersion: metadata.resourceVersion }];
    },
  };
}
