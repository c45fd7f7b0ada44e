import type { ParsedSigningRequest } from '../../../../libs/base/keys.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Plan,
  type Reconciler,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { certificateSigningRequests, subjectAccessReviews } from '../../../resources.ts';
import type { SubjectAccessReview } from '../../../types/authorization/v1.generated.ts';
import type { CertificateSigningRequest } from '../../../types/certificates/v1.generated.ts';
import { isDecided, kubeletClientProblem, type Request, readRequest, SIGNER } from './request.ts';

export interface Observed {
  readonly request: Request;
  readonly asked: ParsedSigningRequest;
}

/** A right that lets a request be approved, and the words that go with it. */
export interface Ground {
  readonly subresource: 'selfnodeclient' | 'nodeclient';
  readonly message: string;
}

export interface Action {
  readonly type: 'approve';
  readonly reason: string;
  /** The first that the requester has decides. */
  readonly grounds: readonly Ground[];
}

const SELF: Ground = {
  subresource: 'selfnodeclient',
  message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
};
const OTHER: Ground = {
  subresource: 'nodeclient',
  message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
};

/** A node's own identity is asked for: approved if the requester may ask for it, for itself or for any node. */
export function plan({ request, asked }: Observed): Plan<Action> {
  const { spec, status } = request;
  const isOurs = spec.signerName === SIGNER.kubeletClient && !status?.certificate && !isDecided(request);
  if (!isOurs || kubeletClientProblem(asked, spec.usages ?? [])) return { actions: [] };
  const grounds = asked.subject.commonName === spec.username ? [SELF, OTHER] : [OTHER];
  return { actions: [{ type: 'approve', reason: "a node's client certificate is asked for", grounds }] };
}

/** Approves client certificates of kubelets, for who has the right that upstream's controller looks at. */
export const csrApprovingController: Reconciler<Observed, Action> = {
  name: 'certificatesigningrequest-approving-controller',
  watches: [watching(certificateSigningRequests, ownKey)],
  async observe({ informers, keys }, name) {
    const request = informers.informer(certificateSigningRequests).get(name);
    if (request?.spec.signerName !== SIGNER.kubeletClient || isDecided(request)) return undefined;
    const asked = await readRequest(keys, request);
    return asked && { request, asked };
  },
  plan,
  async apply(env, { grounds }, { request }) {
    for (const { subresource, message } of grounds) {
      if (await mayCreate(env, request, subresource)) return [await approve(env, request, message)];
    }
    const recognised = grounds.map(({ subresource }) => subresource).join(' ');
    throw new Error(
      `recognized csr "${request.metadata.name}" as [${recognised}] but subject access review was not approved`,
    );
  },
};

async function mayCreate({ client }: ControllerEnvironment, { spec }: Request, subresource: string): Promise<boolean> {
  const extra = spec.extra && Object.fromEntries(Object.entries(spec.extra).map(([key, list]) => [key, [...list]]));
  const review: SubjectAccessReview = {
    metadata: {},
    spec: {
      user: spec.username ?? '',
      ...(spec.uid ? { uid: spec.uid } : {}),
      groups: [...(spec.groups ?? [])],
      ...(extra ? { extra } : {}),
      resourceAttributes: {
        group: 'certificates.k8s.io',
        resource: 'certificatesigningrequests',
        verb: 'create',
        version: '*',
        subresource,
      },
    },
  };
  const { status } = await client.resource(subjectAccessReviews).create(review);
  return status?.allowed === true;
}

/** Adds the condition `Approved`; gives what was written. */
export async function approve({ client }: ControllerEnvironment, request: Request, message: string): Promise<Written> {
  const condition = { type: 'Approved', status: 'True', reason: 'AutoApproved', message };
  const conditions = [...(request.status?.conditions ?? []), condition];
  const changed = { ...request, status: { ...request.status, conditions } } as unknown as CertificateSigningRequest;
  const updated = await client.resource(certificateSigningRequests).subresource('approval').update(changed);
  return { ref: certificateSigningRequests, resourceVersion: updated.metadata.resourceVersion };
}
