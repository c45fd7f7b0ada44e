// The numbers of a rollout: how many pods may be there, and which ReplicaSet gets how many of them.

import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Deployment, ReplicaSet } from '../../../types/apps/v1.generated.ts';

export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const ROLLBACK_TO = 'deprecated.deployment.rollback.to';

/** Annotations that belong to one object alone, and are not handed down. */
export const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  ROLLBACK_TO,
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

/** A ReplicaSet as the plan goes on: what has been decided is in it already. */
export interface Set {
  readonly name: string;
  replicas: number;
  readonly annotations: Record<string, string>;
  readonly createdMs: number;
  readonly status: {
    readonly replicas: number;
    readonly ready: number;
    readonly available: number;
    readonly terminating: number;
  };
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
  readonly settled: boolean;
  readonly deleting: boolean;
  /** Undefined for one that this plan makes. */
  readonly live: Live<ReplicaSet> | undefined;
}

export function setOf(live: Live<ReplicaSet>): Set {
  const { metadata, spec, status } = live;
  return {
    name: metadata.name,
    replicas: spec?.replicas ?? 1,
    annotations: { ...(metadata.annotations as Record<string, string> | undefined) },
    createdMs: epochMs(metadata.creationTimestamp) ?? 0,
    status: {
      replicas: status?.replicas ?? 0,
      ready: status?.readyReplicas ?? 0,
      available: status?.availableReplicas ?? 0,
      terminating: status?.terminatingReplicas ?? 0,
    },
    conditions: status?.conditions ?? [],
    settled: BigInt(metadata.generation ?? 0) <= BigInt(status?.observedGeneration ?? 0),
    deleting: Boolean(metadata.deletionTimestamp),
    live,
  };
}

export const total = (sets: readonly Set[], count: (set: Set) => number): number =>
  sets.reduce((sum, set) => sum + count(set), 0);

const REVISION_MAX = 2n ** 63n - 1n;

/** Which revision it is, 0 where the annotation is absent or no 64-bit number: users' own ReplicaSets say what they like. */
export function revisionOf(annotations: Readonly<Record<string, string>>): bigint {
  const text = valueIn(annotations, REVISION) ?? '';
  const revision = /^\d+$/.test(text) ? BigInt(text) : 0n;
  return revision <= REVISION_MAX ? revision : 0n;
}

/** The higher revision comes later. */
export function compareRevisions(a: Set, b: Set): number {
  const [x, y] = [revisionOf(a.annotations), revisionOf(b.annotations)];
  return x < y ? -1 : x > y ? 1 : 0;
}

export interface Bounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** How far a rollout may leave the wanted number of pods. Both nought would stand still: then one may be missing. */
export function boundsOf(spec: DeepReadonly<NonNullable<Deployment['spec']>>): Bounds {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === 'Recreate' || !spec.strategy?.rollingUpdate) return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate;
  const surge = scaled(maxSurge, replicas, Math.ceil);
  const unavailable = scaled(maxUnavailable, replicas, Math.floor);
  const fenced = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { maxSurge: surge, maxUnavailable: replicas === 0 ? 0 : Math.min(fenced, replicas) };
}

/** A number, or a percentage of `of`. */
export function scaled(value: string | number | undefined, of: number, round: (x: number) => number): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? round((Number.parseInt(value, 10) * of) / 100) : Number.parseInt(value, 10) || 0;
}

/** How many replicas a new ReplicaSet gets now. */
export function newSetReplicas(
  replicas: number,
  rolling: boolean,
  { maxSurge }: Bounds,
  all: readonly Set[],
  current: number,
): number {
  if (!rolling) return replicas;
  const room = replicas + maxSurge - total(all, (set) => set.replicas);
  return room <= 0 ? current : current + Math.min(room, replicas - current);
}

/**
 * Shares what is to be added or taken (after the Deployment was scaled in the midst of a rollout) among the ReplicaSets in
 * proportion to their sizes; what rounding leaves goes to the largest.
 */
export function inProportion(
  sets: readonly Set[],
  replicas: number,
  maxSurge: number,
  statusReplicas: number,
): ReadonlyMap<Set, number> {
  const allowed = replicas > 0 ? replicas + maxSurge : 0;
  const toAdd = allowed - total(sets, (set) => set.replicas);
  const order = [...sets].sort(
    (a, b) => b.replicas - a.replicas || (toAdd > 0 ? b.createdMs - a.createdMs : a.createdMs - b.createdMs),
  );
  const sizes = new Map<Set, number>();
  let added = 0;
  for (const set of order) {
    const share =
      toAdd === 0 || set.replicas === 0 || toAdd === added ? 0 : fraction(set, replicas, maxSurge, statusReplicas);
    const left = toAdd - added;
    const part = share === 0 ? 0 : toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
    sizes.set(set, set.replicas + part);
    added += part;
  }
  const [largest] = order;
  if (largest && toAdd !== added) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + toAdd - added));
  return sizes;
}

function fraction(set: Set, replicas: number, maxSurge: number, statusReplicas: number): number {
  if (replicas === 0) return -set.replicas;
  const before = Number(valueIn(set.annotations, MAX_REPLICAS) ?? statusReplicas) || 0;
  // Without anything to compare with, no share can be said.
  if (before === 0) return 0;
  return Math.round((set.replicas * (replicas + maxSurge)) / before) - set.replicas;
}
