import { nodes, pods } from '../../../api/resources.ts';
import type { TokenRequest } from '../../../api/types/authentication/v1.generated.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates/v1.generated.ts';
import type { Node, Pod } from '../../../api/types/core/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { AdmissionPlugin, DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { forbidden } from '../../../libs/machinery/errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { namesOf, nodeOf } from '../authz/node.ts';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const RESTRICTED_PREFIX = 'node-restriction.kubernetes.io/';
const KUBELET_LABELS: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
]);
const KUBELET_LABEL_PREFIXES = ['kubelet.kubernetes.io/', 'node.kubernetes.io/'];

/** Of which kubelets may not change all. */
const RESTRICTED: ReadonlySet<string> = new Set([
  'pods',
  'nodes',
  'serviceaccounts',
  'leases',
  'csinodes',
  'resourceslices',
  'certificatesigningrequests',
]);

type Refuse = (why: string) => Error;

/**
 * Holds a kubelet to its own node, its own pods and its own lease (API concept "NodeRestriction"): what the Node
 * authorizer cannot see because it stands in the object.
 */
export const nodeRestriction = (keys: Keys): AdmissionPlugin => ({
  name: 'NodeRestriction',
  handles: ({ kind }) => RESTRICTED.has(kind.resource),
  // A changed node is looked at before its kind's own rules are, which drop or refuse some of what must not be asked for.
  admit(ctx, request) {
    const node = nodeOf(ctx.user);
    if (node === undefined || request.kind.resource !== 'nodes' || request.operation !== 'UPDATE') return;
    checkNode(node, request, (why) => forbidden(request.kind, request.name, why));
  },
  async validate(ctx, request, registry) {
    const node = nodeOf(ctx.user);
    if (node === undefined) return;
    const refuse: Refuse = (why) => forbidden(request.kind, request.name, why);
    switch (request.kind.resource) {
      case 'pods':
        return checkPod(node, request, registry, refuse);
      case 'nodes':
        return checkNode(node, request, refuse);
      case 'serviceaccounts':
        if (request.subresource === 'token') return checkToken(node, request, registry, refuse);
        return;
      case 'leases':
        if (request.namespace === 'kube-node-lease' && request.name !== node) {
          throw refuse('can only access node lease with the same name as the requesting node');
        }
        return;
      case 'csinodes':
        if (request.name !== node) throw refuse('can only access CSINode with the same name as the requesting node');
        return;
      case 'certificatesigningrequests':
        return checkSigningRequest(keys, ctx.user.name, request, refuse);
      default:
        checkSlice(node, request, refuse);
    }
  },
});

async function checkPod(
  node: string,
  request: DeepReadonlyAdmission,
  registry: Registry,
  refuse: Refuse,
): Promise<void> {
  const { operation, subresource } = request;
  if (subresource === 'eviction') {
    const pod = await registry.get(pods, request.namespace, request.name);
    if (pod && pod.spec?.nodeName !== node)
      throw refuse(`node ${node} can only evict pods with spec.nodeName set to itself`);
    return;
  }
  if (subresource === 'status') {
    const pod = request.oldObject as DeepReadonly<Pod>;
    if (pod.spec?.nodeName !== node)
      throw refuse(`node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
    if (!sameValue(request.object?.metadata?.labels, pod.metadata?.labels)) {
      throw refuse(`node "${node}" cannot update labels through pod status`);
    }
    return;
  }
  if (operation === 'DELETE') {
    const pod = request.oldObject as DeepReadonly<Pod>;
    if (pod.spec?.nodeName !== node)
      throw refuse(`node "${node}" can only delete pods with spec.nodeName set to itself`);
  } else if (operation === 'CREATE' && subresource === '')
    await checkMirror(node, request.object as DeepReadonly<Pod>, registry, refuse);
}

async function checkMirror(node: string, pod: DeepReadonly<Pod>, registry: Registry, refuse: Refuse): Promise<void> {
  if (!Object.hasOwn(pod.metadata?.annotations ?? {}, MIRROR_ANNOTATION)) {
    throw refuse(`pod does not have "${MIRROR_ANNOTATION}" annotation, node "${node}" can only create mirror pods`);
  }
  const { spec } = pod;
  if (spec?.nodeName !== node) throw refuse(`node "${node}" can only create pods with spec.nodeName set to itself`);
  for (const owner of pod.metadata?.ownerReferences ?? []) {
    if (owner.kind !== 'Node' || owner.name !== node)
      throw refuse(`node "${node}" can only create pods with an owner reference set to itself`);
    const found = await registry.get(nodes, '', node);
    if (found?.metadata.uid !== owner.uid)
      throw refuse(`node "${node}" can only create pods with an owner reference set to itself`);
  }
  if (spec.serviceAccountName) throw refuse(`node "${node}" can not create pods that reference a service account`);
  for (const resource of ['secrets', 'configmaps'] as const) {
    if (namesOf(pod, resource).length > 0)
      throw refuse(`node "${node}" can not create pods that reference ${resource}`);
  }
  const volumes = spec.volumes ?? [];
  if (volumes.some(({ projected }) => projected?.sources?.some((source) => source.clusterTrustBundle))) {
    throw refuse(`node "${node}" can not create pods that reference clustertrustbundles`);
  }
  if (volumes.some((volume) => volume.persistentVolumeClaim))
    throw refuse(`node "${node}" can not create pods that reference persistentvolumeclaims`);
  if ((spec.resourceClaims ?? []).length > 0)
    throw refuse(`node "${node}" can not create pods that reference resourceclaims`);
}

function checkNode(node: string, request: DeepReadonlyAdmission, refuse: Refuse): void {
  const { operation, object, oldObject, name } = request;
  const draft = object as DeepReadonly<Node> | undefined;
  if (name !== node) throw refuse(`node "${node}" is not allowed to modify node "${name}"`);
  if (operation === 'CREATE' && draft) {
    if (draft.spec?.configSource)
      throw refuse(`node "${node}" is not allowed to create pods with a non-nil configSource`);
    const labels = forbiddenLabels(Object.keys(draft.metadata?.labels ?? {}));
    if (labels.length > 0)
      throw refuse(`node "${node}" is not allowed to set the following labels: ${labels.join(', ')}`);
  }
  if (operation !== 'UPDATE' || !draft) return;
  const old = oldObject as DeepReadonly<Node>;
  if (draft.spec?.configSource && !sameValue(draft.spec.configSource, old.spec?.configSource)) {
    throw refuse(`node "${node}" is not allowed to update configSource to a new non-nil configSource`);
  }
  if (!sameValue(draft.spec?.taints, old.spec?.taints)) throw refuse(`node "${node}" is not allowed to modify taints`);
  if (!sameValue(draft.metadata?.ownerReferences, old.metadata?.ownerReferences)) {
    throw refuse(`node "${node}" is not allowed to modify ownerReferences`);
  }
  const changed = forbiddenLabels(changedLabels(draft, old));
  if (changed.length > 0) throw refuse(`is not allowed to modify labels: ${changed.join(', ')}`);
}

function changedLabels(draft: DeepReadonly<ApiObject>, old: DeepReadonly<ApiObject>): string[] {
  const [now, was] = [draft.metadata?.labels ?? {}, old.metadata?.labels ?? {}];
  return [...new Set([...Object.keys(now), ...Object.keys(was)])].filter((key) => now[key] !== was[key]);
}

/** Labels of Kubernetes' own domains that a kubelet may not give itself. */
function forbiddenLabels(keys: readonly string[]): string[] {
  return keys
    .filter((key) => {
      const domain = key.includes('/') ? (key.split('/')[0] as string) : '';
      if (key.startsWith(RESTRICTED_PREFIX)) return true;
      if (!/(^|\.)(kubernetes|k8s)\.io$/.test(domain)) return false;
      return (
        !KUBELET_LABELS.has(key) &&
        !KUBELET_LABEL_PREFIXES.some((prefix) => key.startsWith(prefix) || domain.endsWith(`.${prefix.slice(0, -1)}`))
      );
    })
    .sort();
}

async function checkToken(
  node: string,
  request: DeepReadonlyAdmission,
  registry: Registry,
  refuse: Refuse,
): Promise<void> {
  const ref = (request.object as DeepReadonly<TokenRequest> | undefined)?.spec.boundObjectRef;
  if (ref?.kind !== 'Pod' || !ref.name) throw refuse('node requested token not bound to a pod');
  if (!ref.uid) throw refuse('node requested token with a pod binding without a uid');
  const pod = await registry.get(pods, request.namespace, ref.name);
  if (pod?.metadata.uid !== ref.uid)
    throw refuse(
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec?.nodeName !== node) throw refuse(`node requested token bound to a pod scheduled on a different node`);
}

function checkSlice(node: string, { object, oldObject, operation }: DeepReadonlyAdmission, refuse: Refuse): void {
  const nodeName = (slice: unknown) => (slice as { spec?: { nodeName?: string } } | undefined)?.spec?.nodeName;
  if (operation === 'CREATE' && nodeName(object) !== node)
    throw refuse('can only create ResourceSlice with the same NodeName as the requesting node');
  if (operation !== 'CREATE' && nodeName(oldObject) !== node)
    throw refuse(
      `can only ${operation === 'DELETE' ? 'delete' : 'update'} ResourceSlice with the same NodeName as the requesting node`,
    );
}

const NODE_SIGNERS: ReadonlySet<string> = new Set([
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/kube-apiserver-client-kubelet',
]);

/** A node asks the signers of nodes for certificates of its own only. */
async function checkSigningRequest(
  keys: Keys,
  user: string,
  request: DeepReadonlyAdmission,
  refuse: Refuse,
): Promise<void> {
  if (request.operation !== 'CREATE' || request.subresource !== '') return;
  const { spec } = request.object as DeepReadonly<CertificateSigningRequest>;
  if (!NODE_SIGNERS.has(spec?.signerName ?? '')) return;
  const bytes = decodeBase64(String(spec?.request ?? ''));
  let name: string | undefined;
  try {
    name = (await keys.parseCertificateSigningRequest(new TextDecoder().decode(bytes))).subject.commonName;
  } catch (error) {
    throw refuse(`unable to parse csr: ${(error as Error).message}`);
  }
  if (name !== user) throw refuse(`can only create a node CSR with CN=${user}`);
}
