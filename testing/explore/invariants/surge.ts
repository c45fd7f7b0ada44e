import type { Deployment, ReplicaSet } from '../../../api/types/apps/v1.generated.ts';
import type { Pod } from '../../../api/types/core/v1.generated.ts';
import type { ClusterView, Invariant } from '../invariant.ts';
import { type IntOrString, intOrPercent } from './int-or-percent.ts';

/** What was asked for so long ago may still be acted upon by who hears late. */
const HEARD_LATE_MS = 120_000;

/**
 * A Deployment never asks its ReplicaSets together for more pods than `replicas` and `maxSurge` allow, and a ReplicaSet
 * never makes more than it is asked for. Pods that end or have ended do not count. (While one ReplicaSet makes the pods
 * that another is still about to take away, there may be more for a moment: each follows its own count.) Requests that
 * were done without their sender knowing are allowed for: nobody can help making such a pod twice.
 */
export function surgeKept(): Invariant {
  const allowed = new Recent();
  const wanted = new Recent();
  return {
    name: 'surge',
    check(view, { resource, type, object, previous }) {
      const { nowMs } = view;
      if (resource === 'deployments.apps') {
        const before = previous as Deployment | undefined;
        // Most writes are of the status alone.
        if (before && before.spec !== (object as Deployment).spec)
          allowed.was(before.metadata?.uid, allowedBy(before), nowMs);
        return;
      }
      if (resource === 'replicasets.apps' && type !== 'deleted') {
        const before = previous as ReplicaSet | undefined;
        if (before?.spec === (object as ReplicaSet).spec) return;
        if (before) wanted.was(before.metadata?.uid, replicasOf(before), nowMs);
        return replicasOf(object as ReplicaSet) > (before ? replicasOf(before) : 0)
          ? tooManyAsked(view, object as ReplicaSet)
          : undefined;
      }
      return resource === 'pods' && type === 'added' ? tooManyMade(view, object as Pod) : undefined;
    },
  };

  function tooManyAsked(view: ClusterView, set: ReplicaSet): string | undefined {
    const deployment = ownerOf<Deployment>(view, set, 'Deployment', 'deployments.apps');
    if (!deployment) return undefined;
    const sets = view
      .list<ReplicaSet>('replicasets.apps', set.metadata?.namespace)
      .filter((one) => isOwnedBy(one, deployment.metadata?.uid));
    const sum = sets.reduce((all, one) => all + replicasOf(one), 0);
    const limit = allowed.most(deployment.metadata?.uid, allowedBy(deployment), view.nowMs);
    if (sum <= limit) return undefined;
    const each = sets.map((one) => `${one.metadata?.name} for ${replicasOf(one)}`).join(', ');
    return `Deployment ${nameOf(deployment)} asks for ${sum} pods, and ${limit} are allowed: ${each}`;
  }

  function tooManyMade(view: ClusterView, pod: Pod): string | undefined {
    const set = ownerOf<ReplicaSet>(view, pod, 'ReplicaSet', 'replicasets.apps');
    if (!set) return undefined;
    const own = view
      .list<Pod>('pods', pod.metadata?.namespace)
      .filter((one) => isOwnedBy(one, set.metadata?.uid) && isActive(one));
    const limit = wanted.most(set.metadata?.uid, replicasOf(set), view.nowMs);
    if (own.length <= limit + unknowable(view)) return undefined;
    const names = own.map(({ metadata }) => metadata?.name).join(', ');
    return `ReplicaSet ${nameOf(set)} has ${own.length} pods, and was asked for ${limit}: ${names}`;
  }
}

/** What was asked for lately, by uid. */
class Recent {
  readonly #counts = new Map<string, { readonly count: number; readonly untilMs: number }[]>();

  was(uid = '', count: number, nowMs: number): void {
    const others = this.#still(uid, nowMs).filter((one) => one.count !== count);
    this.#counts.set(uid, [...others, { count, untilMs: nowMs + HEARD_LATE_MS }]);
  }

  most(uid = '', now: number, nowMs: number): number {
    return Math.max(now, ...this.#still(uid, nowMs).map(({ count }) => count));
  }

  #still(uid: string, nowMs: number) {
    return (this.#counts.get(uid) ?? []).filter(({ untilMs }) => untilMs > nowMs);
  }
}

const UNKNOWABLE: readonly string[] = [
  'lose-answer',
  'duplicate',
  'lossy-link',
  'restart-apiserver',
  'component-crash',
];

/** How many requests were done and their senders do not know: one that is killed does not know of those under way. */
function unknowable({ faults }: ClusterView): number {
  const kinds = faults['component-crash'] ? [...UNKNOWABLE, 'delay', 'slow-link'] : UNKNOWABLE;
  return kinds.reduce((sum, kind) => sum + (faults[kind] ?? 0), 0);
}

const replicasOf = ({ spec }: ReplicaSet | Deployment): number => spec?.replicas ?? 1;

function allowedBy(deployment: Deployment): number {
  const replicas = replicasOf(deployment);
  const { strategy } = deployment.spec ?? {};
  if (strategy?.type === 'Recreate') return replicas;
  return replicas + intOrPercent((strategy?.rollingUpdate?.maxSurge ?? '25%') as IntOrString, replicas, 'up');
}

const isActive = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined && status?.phase !== 'Failed' && status?.phase !== 'Succeeded';

interface Owned {
  readonly metadata?: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly ownerReferences?: readonly {
      readonly kind: string;
      readonly name: string;
      readonly uid: string;
      readonly controller?: boolean;
    }[];
  };
}

const isOwnedBy = ({ metadata }: Owned, uid: string | undefined): boolean =>
  metadata?.ownerReferences?.some((owner) => owner.controller && owner.uid === uid) ?? false;

function ownerOf<T extends Owned>(
  view: ClusterView,
  { metadata }: Owned,
  kind: string,
  resource: string,
): T | undefined {
  const reference = metadata?.ownerReferences?.find((one) => one.controller && one.kind === kind);
  const owner = reference && view.get<T>(resource, metadata?.namespace ?? '', reference.name);
  return owner?.metadata?.uid === reference?.uid ? owner : undefined;
}

const nameOf = ({ metadata }: Owned): string => `${metadata?.namespace}/${metadata?.name}`;
