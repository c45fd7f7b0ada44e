import { encodeBase64 } from '../../../../libs/base/base64.ts';
import { KeyError, type Keys, type ParsedSigningRequest } from '../../../../libs/base/keys.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import type { CertificateSigningRequest } from '../../../types/certificates/v1.generated.ts';

export type Request = Live<CertificateSigningRequest>;

/** The signers that a cluster has of itself (API concept "Kubernetes signers"). */
export const SIGNER = Object.freeze({
  client: 'kubernetes.io/kube-apiserver-client',
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
  kubeletServing: 'kubernetes.io/kubelet-serving',
  legacyUnknown: 'kubernetes.io/legacy-unknown',
});

export const NODE_GROUP = 'system:nodes';
export const NODE_USER_PREFIX = 'system:node:';

/** What is asked for, in the request's own PEM; undefined where it cannot be read: no signer can help it. */
export async function readRequest(keys: Keys, { spec }: Request): Promise<ParsedSigningRequest | undefined> {
  try {
    return await keys.parseCertificateSigningRequest(atob(spec.request));
  } catch (error) {
    if (error instanceof KeyError || error instanceof DOMException) return undefined;
    throw error;
  }
}

/** PEM as `status.certificate` has it. */
export const certificateBytes = (pem: string): string => encodeBase64(pem);

export function isApproved(request: Request): boolean {
  return hasTrue(request, 'Approved') && !hasTrue(request, 'Denied');
}

export function isDecided(request: Request): boolean {
  return hasTrue(request, 'Approved') || hasTrue(request, 'Denied');
}

/** A condition without a status is as old as v1beta1, where its being there was enough. */
export function hasTrue({ status }: Request, type: string): boolean {
  return (status?.conditions ?? []).some((one) => one.type === type && (!one.status || one.status === 'True'));
}

/**
 * Why `signer` must not sign what is asked for; undefined: it may. The rules of each signer are published with the API;
 * the words are those that clients of upstream read in the condition `Failed`.
 */
export function whyNotSigned(
  signer: string,
  asked: ParsedSigningRequest,
  usages: readonly string[],
): string | undefined {
  switch (signer) {
    case SIGNER.client:
      return clientUsageProblem(usages);
    case SIGNER.kubeletClient:
      return kubeletClientProblem(asked, usages);
    case SIGNER.kubeletServing:
      return kubeletServingProblem(asked, usages);
    default:
      return undefined;
  }
}

function clientUsageProblem(usages: readonly string[]): string | undefined {
  const unknown = usages.find((usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage));
  if (unknown !== undefined) return `invalid usage for client certificate: ${unknown}`;
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth';
}

/** The identity of a node towards the API server: no names, the group of nodes, and nothing but a client's usages. */
export function kubeletClientProblem(
  { subject, names, otherNames }: ParsedSigningRequest,
  usages: readonly string[],
): string | undefined {
  if (!isNodeGroup(subject.organizations)) return 'subject organization is not system:nodes';
  if (names.dns?.length) return 'DNS subjectAltNames are not allowed';
  const other = otherNameProblem(otherNames);
  if (other?.startsWith('Email')) return other;
  if (names.ip?.length) return 'IP subjectAltNames are not allowed';
  if (other) return other;
  if (!subject.commonName.startsWith(NODE_USER_PREFIX)) return 'subject common name does not begin with system:node:';
  return usageProblem(usages, 'client auth');
}

/** The identity of a kubelet as a server: at least one name, the group of nodes, and nothing but a server's usages. */
export function kubeletServingProblem(
  { subject, names, otherNames }: ParsedSigningRequest,
  usages: readonly string[],
): string | undefined {
  if (!isNodeGroup(subject.organizations)) return 'subject organization is not system:nodes';
  if (!names.dns?.length && !names.ip?.length) return 'DNS or IP subjectAltName is required';
  const other = otherNameProblem(otherNames);
  if (other) return other;
  const problem = usageProblem(usages, 'server auth');
  if (problem) return problem;
  if (!subject.commonName.startsWith(NODE_USER_PREFIX)) return 'subject common name does not begin with system:node:';
  return undefined;
}

const isNodeGroup = (organizations: readonly string[] = []): boolean =>
  organizations.length === 1 && organizations[0] === NODE_GROUP;

function otherNameProblem(otherNames: readonly string[]): string | undefined {
  if (otherNames.length === 0) return undefined;
  const isEmail = otherNames.some((name) => name.includes('@') && !name.includes('://'));
  return `${isEmail ? 'Email' : 'URI'} subjectAltNames are not allowed`;
}

/** Keys that only sign (ECDSA) do without `key encipherment`. */
function usageProblem(usages: readonly string[], purpose: 'client auth' | 'server auth'): string | undefined {
  const wanted = ['digital signature', purpose];
  const extra = usages.filter((usage) => !wanted.includes(usage));
  const fits = wanted.every((usage) => usages.includes(usage)) && extra.every((usage) => usage === 'key encipherment');
  if (fits) return undefined;
  return `usages did not match [${[purpose, 'digital signature', 'key encipherment'].sort().join(' ')}]`;
}
