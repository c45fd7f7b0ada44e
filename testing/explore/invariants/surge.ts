import type { Deployment, ReplicaSet } from '../../../api/types/apps/v1.generated.ts';
import type { Pod } from '../../../api/types/core/v1.generated.ts';
import type { ClusterView, Invariant } from '../invariant.ts';
import { type IntOrString, intOrPercent } from './int-or-percent.ts';

/** What was asked for so long ago may still be acted upon by who hears late. */
const HEARD_LATE_MS = 120_000;

/**
 * A Deployment never has more pods than `replicas` and `maxSurge` allow, and a ReplicaSet never makes more than it is
 * asked for; pods that end or have ended do not count. Requests that were done without their sender knowing are allowed
 * for: nobody can help making such a pod twice.
 */
export function surgeKept(): Invariant {
  const asked = new Map<string, { readonly count: number; readonly untilMs: number }[]>();
  const most = (uid: string, count: number, nowMs: number): number => {
    const still = (asked.get(uid) ?? []).filter(({ untilMs }) => untilMs > nowMs);
    return Math.max(count, ...still.map((one) => one.count));
  };
  const remember = (uid: string, count: number, nowMs: number) => {
    const still = (asked.get(uid) ?? []).filter(({ untilMs }) => untilMs > nowMs);
    asked.set(uid, [...still, { count, untilMs: nowMs + HEARD_LATE_MS }]);
  };
  return {
    name: 'surge',
    check(view, { resource, type, object, previous }) {
      const { nowMs } = view;
      if (resource === 'deployments.apps' || resource === 'replicasets.apps') {
        const before = previous as Deployment | ReplicaSet | undefined;
        if (before?.metadata?.uid)
          remember(
            before.metadata.uid,
            resource === 'deployments.apps' ? allowed(before) : (before.spec?.replicas ?? 1),
            nowMs,
          );
        return;
      }
      if (resource !== 'pods' || type !== 'added') return;
      const pod = object as Pod;
      const set = ownerOf<ReplicaSet>(view, pod, 'ReplicaSet', 'replicasets.apps');
      if (!set?.metadata?.uid) return;
      const unknown = unknowable(view);
      const pods = view.list<Pod>('pods', pod.metadata?.namespace).filter(isActive);
      const own = pods.filter((one) => isOwnedBy(one, set.metadata?.uid));
      const wanted = most(set.metadata.uid, set.spec?.replicas ?? 1, nowMs);
      if (own.length > wanted + unknown)
        return `ReplicaSet ${nameOf(set)} has ${own.length} pods, and was asked for ${wanted}: ${namesOf(own)}`;
      const deployment = ownerOf<Deployment>(view, set, 'Deployment', 'deployments.apps');
      if (!deployment?.metadata?.uid) return;
      const sets = view
        .list<ReplicaSet>('replicasets.apps', pod.metadata?.namespace)
        .filter((one) => isOwnedBy(one, deployment.metadata?.uid))
        .map(({ metadata }) => metadata?.uid);
      const all = pods.filter((one) => sets.some((uid) => isOwnedBy(one, uid)));
      const limit = most(deployment.metadata.uid, allowed(deployment), nowMs);
      if (all.length > limit + unknown)
        return `Deployment ${nameOf(deployment)} has ${all.length} pods, and ${limit} are allowed: ${namesOf(all)}`;
    },
  };
}

/** How many requests were done and their senders do not know. */
const unknowable = ({ faults }: ClusterView): number =>
  (faults['lose-answer'] ?? 0) +
  (faults['duplicate'] ?? 0) +
  (faults['lossy-link'] ?? 0) +
  (faults['restart-apiserver'] ?? 0);

function allowed({ spec }: Deployment | ReplicaSet): number {
  const replicas = spec?.replicas ?? 1;
  const { strategy } = spec as NonNullable<Deployment['spec']>;
  if (strategy?.type === 'Recreate') return replicas;
  return replicas + intOrPercent((strategy?.rollingUpdate?.maxSurge ?? '25%') as IntOrString, replicas, 'up');
}

const isActive = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined && status?.phase !== 'Failed' && status?.phase !== 'Succeeded';

type Owned = {
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
};

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
const namesOf = (pods: readonly Owned[]): string => pods.map(({ metadata }) => metadata?.name).join(', ');
