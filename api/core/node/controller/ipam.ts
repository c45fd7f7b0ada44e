import type { Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { nodes } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';
import { CidrPool } from './ipam-pool.ts';

export interface IpamSettings {
  /** Where pods' addresses come from: one network, or one of each family; the first is the first of `podCIDRs`. */
  readonly clusterCidrs: readonly string[];
  /** Networks that nodes must not get though they lie inside: those of Services. */
  readonly reservedCidrs?: readonly string[];
  /** The length of a node's network, as `clusterCidrs`. Default 24 for IPv4, 64 for IPv6. */
  readonly nodeMaskSizes?: readonly number[];
}

export interface Observed {
  readonly node: Live<Node>;
  /** What is held for the node, one of each network; undefined: a network has none left. */
  readonly offer: readonly string[] | undefined;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'assign'; readonly podCidrs: readonly string[] }
  | { readonly type: 'tell' }
);

/** How soon a node that found no network is looked at again. */
const RETRY_MS = 30_000;

/** A node without pod networks gets what is held for it; one that has them keeps them. */
export function plan({ node, offer }: Observed): Plan<Action> {
  if (node.metadata.deletionTimestamp || networksOf(node).length > 0) return { actions: [] };
  if (offer) return { actions: [{ type: 'assign', podCidrs: offer, reason: 'a node without pod networks' }] };
  return { actions: [{ type: 'tell', reason: 'no pod network is left' }], againAfterMs: RETRY_MS };
}

/**
 * Gives every node its part of the cluster's pod network (`spec.podCIDR`, `spec.podCIDRs`). What nodes have already is
 * the only record: after a start everything is read from them before the first is handed out. A network comes free
 * when its node is deleted. Throws `RangeError` for settings that cannot work.
 */
export function nodeIpamController(settings: IpamSettings): Reconciler<Observed, Action> {
  const makePools = () => settings.clusterCidrs.map((cidr, i) => new CidrPool(cidr, settings.nodeMaskSizes?.[i]));
  const pools = makePools();
  for (const cidr of settings.reservedCidrs ?? []) for (const pool of pools) pool.occupy(cidr);
  /** By node: what it has, or what is held for it until it has it. */
  const held = new Map<string, readonly string[]>();
  let readAll = false;

  const release = (name: string) => {
    for (const cidr of held.get(name) ?? []) for (const pool of pools) pool.release(cidr);
    held.delete(name);
  };
  const record = (node: Live<Node>) => {
    const has = networksOf(node);
    if (has.length === 0 || sameValue(has, held.get(node.metadata.name))) return;
    release(node.metadata.name);
    for (const cidr of has) for (const pool of pools) pool.occupy(cidr);
    held.set(node.metadata.name, has);
  };
  const hold = (name: string) => {
    const known = held.get(name);
    if (known) return known;
    const taken: string[] = [];
    for (const pool of pools) {
      const cidr = pool.take();
      if (cidr !== undefined) taken.push(cidr);
    }
    held.set(name, taken);
    if (taken.length === pools.length) return taken;
    release(name);
    return undefined;
  };

  return {
    name: 'node-ipam-controller',
    concurrency: 1,
    watches: [watching(nodes, ownKey, 0, hasOtherNetworks)],
    observe({ informers }, name) {
      const lister = informers.informer(nodes);
      if (!readAll) for (const node of lister.list()) record(node);
      readAll = true;
      const node = lister.get(name);
      if (!node) {
        release(name);
        return undefined;
      }
      record(node);
      return { node, offer: networksOf(node).length > 0 ? networksOf(node) : hold(name) };
    },
    plan,
    async apply({ client, events }, action, { node }) {
      const { name } = node.metadata;
      if (action.type === 'tell') {
        const about = { ...node, metadata: { ...node.metadata, uid: name } } as Live<Node>;
        events.event(about, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
        return [];
      }
      const podCIDRs = [...action.podCidrs];
      // With the uid: a node of the same name that came meanwhile is looked at by itself.
      const patch = { metadata: { uid: node.metadata.uid }, spec: { podCIDR: podCIDRs[0], podCIDRs } };
      const patched = await client.resource(nodes).patch(name, patch, { type: 'merge' });
      return [{ ref: nodes, resourceVersion: patched.metadata.resourceVersion }];
    },
  };
}

/** Beats of nodes say nothing of their networks. */
const hasOtherNetworks = (node: Live<Node>, previous: Live<Node>): boolean =>
  node.metadata.uid !== previous.metadata.uid ||
  node.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
  !sameValue(networksOf(node), networksOf(previous));

function networksOf({ spec }: Live<Node>): readonly string[] {
  if (spec?.podCIDRs?.length) return spec.podCIDRs;
  return spec?.podCIDR ? [spec.podCIDR] : [];
}
