import type { PersistentVolume, Pod } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { parseFieldSelector } from '../../../libs/machinery/fields.ts';
import { clusterRoles } from '../bootstrap/cluster-roles.ts';
import { parseRule } from '../bootstrap/rules.ts';
import type { Authorizer, Verdict } from './authorizer.ts';
import { covers, type Rule } from './rbac.ts';

/** What the authorizer looks at: the pods of a node, and which volume a claim is bound to. */
export interface NodeGraph {
  /** In no order; who has found one asks for no more. */
  podsOn(node: string): Iterable<DeepReadonly<Pod>>;
  pod(namespace: string, name: string): DeepReadonly<Pod> | undefined;
  /** `spec.volumeName` of a claim. */
  volumeOf(namespace: string, claim: string): string | undefined;
  volume(name: string): DeepReadonly<PersistentVolume> | undefined;
  /** `spec.nodeName` of a volume attachment. */
  attachmentNode(name: string): string | undefined;
}

const NODE_PREFIX = 'system:node:';
const NODES_GROUP = 'system:nodes';
const ALLOW: Verdict = Object.freeze({ decision: 'allow' });
const none = (reason?: string): Verdict => (reason ? { decision: 'none', reason } : { decision: 'none' });
/** What the role `system:node` allows. */
const RULES: readonly Rule[] = Object.freeze(
  (clusterRoles.find((role) => role.name === 'system:node')?.rules ?? []).map(parseRule),
);
const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** The node that a user is: `system:node:<name>` of the group `system:nodes`. */
export function nodeOf(user: UserInfo): string | undefined {
  return user.groups.includes(NODES_GROUP) && user.name.startsWith(NODE_PREFIX)
    ? user.name.slice(NODE_PREFIX.length)
    : undefined;
}

/**
 * What kubelets may do (API concept "Using Node Authorization"): what the role `system:node` says, but of secrets, config
 * maps, claims, volumes, service accounts, pods and nodes only those that their own pods need.
 */
export class NodeAuthorizer implements Authorizer {
  readonly name = 'Node';
  readonly #graph: NodeGraph;

  constructor(graph: NodeGraph) {
    this.#graph = graph;
  }

  authorize(user: UserInfo, a: RequestAttributes): Verdict {
    const node = nodeOf(user);
    if (node === undefined) return none();
    if (!a.isResourceRequest) return none();
    switch (`${a.group}/${a.resource}`) {
      case '/secrets':
      case '/configmaps':
        return this.#reading(node, a);
      case '/persistentvolumeclaims':
        return a.subresource === 'status' ? this.#related(node, a) : this.#individual(node, a);
      case '/persistentvolumes':
      case 'storage.k8s.io/volumeattachments':
      case 'resource.k8s.io/resourceclaims':
        return this.#individual(node, a);
      case '/serviceaccounts':
        return a.subresource === 'token' ? this.#token(node, a) : this.#individual(node, a);
      case '/nodes':
        return READS.has(a.verb) ? ownNode(node, a) : this.#byRules(a);
      case '/pods':
        return READS.has(a.verb) ? this.#pods(node, a) : this.#byRules(a);
      case 'coordination.k8s.io/leases':
        return lease(node, a);
      case 'storage.k8s.io/csinodes':
        return csiNode(node, a);
      case 'resource.k8s.io/resourceslices':
        return resourceSlice(node, a);
      default:
        return this.#byRules(a);
    }
  }

  #byRules(a: RequestAttributes): Verdict {
    for (let at = 0; at < RULES.length; at++) if (covers(RULES[at] as Rule, a)) return ALLOW;
    return none();
  }

  #reading(node: string, a: RequestAttributes): Verdict {
    if (!READS.has(a.verb)) return none('can only read resources of this type');
    return this.#related(node, a);
  }

  #individual(node: string, a: RequestAttributes): Verdict {
    if (a.verb !== 'get') return none('can only get individual resources of this type');
    if (a.subresource !== '') return none('cannot get subresource');
    return this.#related(node, a);
  }

  #related(node: string, a: RequestAttributes): Verdict {
    if (a.name === '') return none('No Object name found');
    return this.#needs(node, a) ? ALLOW : none(`no relationship found between node '${node}' and this object`);
  }

  #needs(node: string, { resource, namespace, name }: RequestAttributes): boolean {
    if (resource === 'volumeattachments') return this.#graph.attachmentNode(name) === node;
    const some = (needs: (pod: DeepReadonly<Pod>) => boolean) => {
      for (const pod of this.#graph.podsOn(node)) if (needs(pod)) return true;
      return false;
    };
    if (resource === 'persistentvolumes') {
      return some((pod) =>
        claimsOf(pod).some((claim) => this.#graph.volumeOf(pod.metadata?.namespace ?? '', claim) === name),
      );
    }
    if (some((pod) => pod.metadata?.namespace === namespace && namesOf(pod, resource).includes(name))) return true;
    return resource === 'secrets' && some((pod) => this.#volumesNeed(pod, namespace, name));
  }

  /** Whether a volume that a pod's claims are bound to is reached with the secret. */
  #volumesNeed(pod: DeepReadonly<Pod>, namespace: string, secret: string): boolean {
    const own = pod.metadata?.namespace ?? '';
    return claimsOf(pod).some((claim) => {
      const volume = this.#graph.volume(this.#graph.volumeOf(own, claim) ?? '');
      return secretsOfVolume(volume, own).some((one) => one.name === secret && one.namespace === namespace);
    });
  }

  #token(node: string, a: RequestAttributes): Verdict {
    if (a.verb !== 'create') return none('can only create tokens for individual service accounts');
    return this.#related(node, { ...a, resource: 'serviceaccounts' });
  }

  #pods(node: string, a: RequestAttributes): Verdict {
    if (a.subresource !== '') return this.#byRules(a);
    if (a.verb === 'get') {
      const pod = this.#graph.pod(a.namespace, a.name);
      return !pod || pod.spec?.nodeName === node
        ? ALLOW
        : none(`no relationship found between node '${node}' and this object`);
    }
    if (selects(a, 'spec.nodeName', node)) return ALLOW;
    if (a.name !== '' && this.#graph.pod(a.namespace, a.name)?.spec?.nodeName === node) return ALLOW;
    return none('can only list/watch pods with spec.nodeName field selector');
  }
}

function ownNode(node: string, a: RequestAttributes): Verdict {
  if (a.name === node) return ALLOW;
  const what = a.name === '' ? 'all nodes' : `'${a.name}'`;
  return none(`node '${node}' cannot read ${what}, only its own Node object`);
}

function lease(node: string, a: RequestAttributes): Verdict {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) {
    return none('can only get, create, update, patch, or delete a node lease');
  }
  if (a.namespace !== 'kube-node-lease')
    return none('can only access leases in the "kube-node-lease" system namespace');
  if (a.verb !== 'create' && a.name !== node)
    return none('can only access node lease with the same name as the requesting node');
  return ALLOW;
}

function csiNode(node: string, a: RequestAttributes): Verdict {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb))
    return none('can only get, create, update, patch, or delete a CSINode');
  if (a.subresource !== '') return none('cannot authorize CSINode subresources');
  if (a.verb !== 'create' && a.name !== node)
    return none('can only access CSINode with the same name as the requesting node');
  return ALLOW;
}

function resourceSlice(node: string, a: RequestAttributes): Verdict {
  if (a.subresource !== '') return none('cannot authorize ResourceSlice subresources');
  // Which slice is whose, admission knows.
  if (['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) return ALLOW;
  return selects(a, 'spec.nodeName', node)
    ? ALLOW
    : none('can only list/watch/deletecollection resourceslices with nodeName field selector');
}

function selects(a: RequestAttributes, label: string, value: string): boolean {
  try {
    return parseFieldSelector(a.fieldSelector ?? '').exactMatch(label) === value;
  } catch {
    return false;
  }
}

const claimsOf = (pod: DeepReadonly<Pod>): string[] => {
  const { volumes = [] } = pod.spec ?? {};
  return (volumes ?? []).flatMap((volume) => [
    ...(volume.persistentVolumeClaim ? [volume.persistentVolumeClaim.claimName] : []),
    ...(volume.ephemeral ? [`${pod.metadata?.name}-${volume.name}`] : []),
  ]);
};

/** The names of a kind that a pod refers to. */
export function namesOf(pod: DeepReadonly<Pod>, resource: string): readonly string[] {
  const { spec } = pod;
  if (!spec) return [];
  switch (resource) {
    case 'serviceaccounts':
      return [spec.serviceAccountName ?? ''];
    case 'persistentvolumeclaims':
      return claimsOf(pod);
    case 'resourceclaims':
      return (pod.status?.resourceClaimStatuses ?? [])
        .flatMap((one) => one.resourceClaimName ?? [])
        .concat((spec.resourceClaims ?? []).flatMap((one) => one.resourceClaimName ?? []));
    case 'secrets':
      return [...(spec.imagePullSecrets ?? []).map((one) => one.name ?? ''), ...referencesOf(spec, SECRET)];
    case 'configmaps':
      return referencesOf(spec, CONFIG_MAP);
    default:
      return [];
  }
}

/** References to secrets in a volume's source; those that name no namespace are of the claim's. */
function secretsOfVolume(
  volume: DeepReadonly<PersistentVolume> | undefined,
  claimNamespace: string,
): { readonly namespace: string; readonly name: string }[] {
  const { azureFile, ...spec } = volume?.spec ?? {};
  const found = Object.values(spec).flatMap((source) =>
    typeof source !== 'object' || source === null
      ? []
      : Object.entries(source as Record<string, unknown>)
          .filter(([key]) => key.toLowerCase().endsWith('secretref'))
          .map(([, ref]) => ref as { readonly name?: string; readonly namespace?: string } | null),
  );
  const file = azureFile && { name: azureFile.secretName, namespace: azureFile.secretNamespace };
  return [...found, file].flatMap((ref) =>
    ref?.name ? [{ name: ref.name, namespace: ref.namespace || claimNamespace }] : [],
  );
}

/** Members whose value names the object, by the name of the member that holds them. */
interface ReferenceForm {
  readonly keys: ReadonlySet<string>;
  readonly names: readonly string[];
}
const SECRET: ReferenceForm = {
  keys: new Set(['secret', 'secretRef', 'secretKeyRef', 'nodePublishSecretRef']),
  names: ['name', 'secretName'],
};
const CONFIG_MAP: ReferenceForm = { keys: new Set(['configMap', 'configMapRef', 'configMapKeyRef']), names: ['name'] };

/** Of stored specs, which are frozen and never change: a node asks again and again, and each is walked once. */
const known = new WeakMap<object, Map<ReferenceForm, readonly string[]>>();

function referencesOf(spec: object, form: ReferenceForm): readonly string[] {
  if (!Object.isFrozen(spec)) return referencesTo(spec, form);
  let forms = known.get(spec);
  if (!forms) known.set(spec, (forms = new Map()));
  let found = forms.get(form);
  if (!found) forms.set(form, (found = referencesTo(spec, form)));
  return found;
}

function referencesTo(value: unknown, form: ReferenceForm, found: string[] = []): string[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, member] of Object.entries(value)) {
    if (form.keys.has(key) && typeof member === 'object' && member !== null) {
      for (const name of form.names) {
        const text = (member as Record<string, unknown>)[name];
        if (typeof text === 'string') found.push(text);
      }
    }
    referencesTo(member, form, found);
  }
  return found;
}
