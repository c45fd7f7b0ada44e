import type { ApiObject, Live, OwnerReference, ResourceRef } from '../../../libs/kind/object.ts';

/** An object of the graph, as last seen. */
export interface GraphNode {
  readonly ref: ResourceRef;
  object: Live<ApiObject>;
}

/** A class, as a cluster begins with hundreds: of literals V8 would make all later ones old, with their objects. */
class KnownNode implements GraphNode {
  readonly ref: ResourceRef;
  object: Live<ApiObject>;

  constructor(ref: ResourceRef, object: Live<ApiObject>) {
    this.ref = ref;
    this.object = object;
  }
}

/** Who owns whom, by uid. As large as the cluster has objects; holds what the informers hold. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Takes the object in, or its new state. */
  put(ref: ResourceRef, object: Live<ApiObject>): void {
    const { uid } = object.metadata;
    const node = this.#nodes.get(uid);
    if (node) {
      const isTied = sameOwners(node.object, object);
      if (!isTied) this.#untie(uid, node.object);
      node.object = object;
      if (isTied) return;
    } else this.#nodes.set(uid, new KnownNode(ref, object));
    const { ownerReferences } = object.metadata;
    if (ownerReferences === undefined) return;
    for (const owner of ownerReferences) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents) dependents.add(uid);
      else this.#dependents.set(owner.uid, new Set([uid]));
    }
  }

  delete(uid: string): void {
    const node = this.#nodes.get(uid);
    if (node) this.#untie(uid, node.object);
    this.#nodes.delete(uid);
  }

  /** The objects that name `uid` as an owner, whether it is there or not. */
  dependentsOf(uid: string): readonly GraphNode[] {
    const nodes: GraphNode[] = [];
    for (const dependent of this.#dependents.get(uid) ?? []) {
      const node = this.#nodes.get(dependent);
      if (node) nodes.push(node);
    }
    return nodes;
  }

  /** The owner as known, if the reference may mean it: one of the same namespace, or of none. */
  ownerOf(object: Live<ApiObject>, reference: Readonly<OwnerReference>): GraphNode | undefined {
    const node = this.#nodes.get(reference.uid);
    if (!node || node.object.metadata.name !== reference.name || node.ref.kind !== reference.kind) return undefined;
    const { namespace } = node.object.metadata;
    return namespace && namespace !== object.metadata.namespace ? undefined : node;
  }

  #untie(uid: string, object: Live<ApiObject>): void {
    for (const owner of object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}

function sameOwners({ metadata: a }: Live<ApiObject>, { metadata: b }: Live<ApiObject>): boolean {
  const [owners, others] = [a.ownerReferences, b.ownerReferences];
  if (owners?.length !== others?.length) return false;
  for (let at = 0; owners && at < owners.length; at++) if (owners[at]?.uid !== others?.[at]?.uid) return false;
  return true;
}
