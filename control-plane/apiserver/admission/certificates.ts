/**
 * The admission of certificates and bundles of trust: who approves, signs or attests must have the right to do so for that
 * signer, and nobody gets a certificate of the masters from the signer of API clients.
 */
import type { CertificateSigningRequest } from '../../../api/types/certificates/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { AdmissionPlugin, DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Decide } from './dynamic/expressions.ts';
import { refused } from './refusal.ts';

const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const MASTERS = 'system:masters';

type Csr = DeepReadonly<CertificateSigningRequest>;

const isRequest = (
  {
    operation,
    kind,
    subresource,
  }: { operation: string; kind: { group: string; resource: string }; subresource: string },
  wanted: string,
  through: string,
) =>
  operation === wanted &&
  kind.group === 'certificates.k8s.io' &&
  kind.resource === 'certificatesigningrequests' &&
  subresource === through;

/** Whether the user may do `verb` with a signer, named or with all of its domain. */
function maySign(decide: Decide, ctx: RequestContext, verb: string, signer: string): boolean {
  const may = (name: string) =>
    decide(ctx.user, {
      verb,
      isResourceRequest: true,
      path: '',
      group: 'certificates.k8s.io',
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: '',
      name,
    }).decision === 'allow';
  return may(signer) || may(`${signer.split('/')[0]}/*`);
}

export function certificateApproval(decide: Decide): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    handles: (request) => isRequest(request, 'UPDATE', 'approval'),
    validate(ctx, request) {
      const signer = (request.oldObject as Csr).spec?.signerName ?? '';
      if (maySign(decide, ctx, 'approve', signer)) return;
      throw refused(request, `user not permitted to approve requests with signerName "${signer}"`);
    },
  };
}

export function certificateSigning(decide: Decide): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    handles: (request) => isRequest(request, 'UPDATE', 'status'),
    validate(ctx, request) {
      const [now, was] = [request.object as Csr, request.oldObject as Csr];
      const same =
        sameValue(now.status?.certificate, was.status?.certificate) &&
        sameValue(now.status?.conditions, was.status?.conditions);
      if (same) return;
      const signer = was.spec?.signerName ?? '';
      if (maySign(decide, ctx, 'sign', signer)) return;
      throw refused(request, `user not permitted to sign requests with signerName "${signer}"`);
    },
  };
}

export function certificateSubjectRestriction(keys: Keys): AdmissionPlugin {
  return {
    name: 'CertificateSubjectRestriction',
    handles: (request) => isRequest(request, 'CREATE', ''),
    async validate(_ctx, request) {
      const { spec } = request.object as Csr;
      if (spec?.signerName !== CLIENT_SIGNER) return;
      const groups = await groupsOf(keys, request);
      if (!groups.includes(MASTERS)) return;
      const who = `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`;
      throw refused(request, who);
    },
  };
}

async function groupsOf(keys: Keys, request: DeepReadonlyAdmission): Promise<readonly string[]> {
  const bytes = decodeBase64(String((request.object as Csr).spec?.request ?? ''));
  if (!bytes) throw refused(request, 'unable to parse the request');
  try {
    const { subject } = await keys.parseCertificateSigningRequest(new TextDecoder().decode(bytes));
    return subject.organizations ?? [];
  } catch (error) {
    throw refused(request, `unable to parse the request: ${(error as Error).message}`);
  }
}

export function clusterTrustBundleAttest(decide: Decide): AdmissionPlugin {
  return {
    name: 'ClusterTrustBundleAttest',
    handles: ({ operation, kind, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      subresource === '' &&
      kind.group === 'certificates.k8s.io' &&
      kind.resource === 'clustertrustbundles',
    validate(ctx, request) {
      const bundle = request.object as DeepReadonly<{ spec?: { signerName?: string } }>;
      const before = request.oldObject as DeepReadonly<{ spec?: { signerName?: string } }> | undefined;
      if (before && sameValue(before.spec, bundle.spec)) return;
      const signer = bundle.spec?.signerName ?? '';
      if (signer === '' || maySign(decide, ctx, 'attest', signer)) return;
      throw refused(request, `user not permitted to attest for signerName "${signer}"`);
    },
  };
}
