import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { Claim } from '../../../core/pod/controller/ownership.ts';
import { isAvailable, isFinished, isReady, untilAvailableMs } from '../../../core/pod/controller/pod-state.ts';
import { statefulSets } from '../../../resources.ts';
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../../../types/apps/v1.generated.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';
import { type Revisions, revisionNumber, revisionsOf } from '../../controllerrevision/controller/revisions.ts';
import { claimName, claimOwners, claimsOf, ordinalOf, podOf, REVISION_LABEL } from './identity.ts';

export interface Observed {
  readonly set: Live<StatefulSet>;
  readonly pods: Claim<Pod>;
  readonly revisions: readonly Live<ControllerRevision>[];
  claim(name: string): Live<PersistentVolumeClaim> | undefined;
}

type Owners = NonNullable<NonNullable<PersistentVolumeClaim['metadata']>['ownerReferences']>;

export type Action = { readonly reason: string } & (
  | { readonly type: 'claim' }
  | { readonly type: 'revision'; readonly change: 'create' | 'renumber'; readonly revision: ControllerRevision }
  | { readonly type: 'forget'; readonly name: string }
  | { readonly type: 'create'; readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] }
  | { readonly type: 'delete'; readonly pod: Live<Pod> }
  | { readonly type: 'claim owners'; readonly name: string; readonly uid: string; readonly owners: Owners }
  | { readonly type: 'status'; readonly status: StatefulSetStatus }
);

const HASH_LABEL = 'controller.kubernetes.io/hash';
const revisionData = (template: unknown) => ({ spec: { template: { ...(template as object), $patch: 'replace' } } });

/**
 * Pods with numbers: made from the lowest, taken from the highest, replaced from the highest, each only when the others are
 * well; with `Parallel` all are made and taken at once.
 */
export function plan(observed: Observed, nowMs: number): Plan<Action> {
  const { set, pods, revisions: known } = observed;
  const actions: Action[] = [];
  if (pods.adopt.length + pods.release.length > 0) actions.push({ type: 'claim', reason: 'adopt and release pods' });
  const collisionCount = set.status?.collisionCount ?? 0;
  const labels = (set.spec?.template.metadata?.labels ?? {}) as Record<string, string>;
  const form = { hashLabel: HASH_LABEL, data: revisionData(set.spec?.template), labels, annotations: {} };
  const revisions = revisionsOf(set, statefulSets, known, form, collisionCount);
  if (set.metadata.deletionTimestamp) return { actions };
  if (revisions.change !== 'none') {
    actions.push({ type: 'revision', change: revisions.change, revision: revisions.update, reason: 'new template' });
  }
  const turn = new Turn(observed, revisions, nowMs);
  actions.push(...turn.run());
  const status = turn.status(collisionCount);
  if (!sameValue(status, set.status)) actions.push({ type: 'status', status, reason: 'status' });
  for (const name of forgotten(set, pods.owned, revisions, status)) {
    actions.push({ type: 'forget', name, reason: 'revision history limit' });
  }
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const againAfterMs = minReadySeconds > 0 ? untilAvailableMs(pods.owned, minReadySeconds, nowMs) : undefined;
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

class Turn {
  readonly #observed: Observed;
  readonly #set: Live<StatefulSet>;
  readonly #nowMs: number;
  readonly #update: ControllerRevision;
  readonly #current: ControllerRevision;
  readonly #byOrdinal = new Map<number, Live<Pod>>();
  readonly #wanted: readonly number[];
  readonly #condemned: readonly Live<Pod>[];

  constructor(observed: Observed, { all, update }: Revisions, nowMs: number) {
    this.#observed = observed;
    this.#set = observed.set;
    this.#nowMs = nowMs;
    this.#update = update;
    const { currentRevision } = observed.set.status ?? {};
    this.#current = all.find(({ metadata }) => metadata?.name === currentRevision) ?? update;
    const start = Number(this.#set.spec?.ordinals?.start ?? 0);
    this.#wanted = Array.from({ length: this.#set.spec?.replicas ?? 1 }, (_, i) => start + i);
    for (const pod of observed.pods.owned) {
      const ordinal = ordinalOf(this.#set.metadata.name, pod.metadata.name);
      if (ordinal !== undefined) this.#byOrdinal.set(ordinal, pod);
    }
    this.#condemned = [...this.#byOrdinal]
      .filter(([ordinal]) => ordinal < start || ordinal >= start + this.#wanted.length)
      .sort(([a], [b]) => b - a)
      .map(([, pod]) => pod);
  }

  run(): Action[] {
    const actions = this.#claimOwners();
    const ordered = this.#set.spec?.podManagementPolicy !== 'Parallel';
    for (const ordinal of this.#wanted) {
      const pod = this.#byOrdinal.get(ordinal);
      if (!pod) {
        actions.push(this.#create(ordinal));
        if (ordered) return actions;
      } else if (isFinished(pod)) {
        // It has ended, and its name is wanted by the next.
        if (!pod.metadata.deletionTimestamp) actions.push({ type: 'delete', pod, reason: 'has ended' });
        if (ordered) return actions;
      } else if (ordered && (pod.metadata.deletionTimestamp || !this.#isAvailable(pod))) return actions;
    }
    for (const pod of this.#condemned) {
      if (pod.metadata.deletionTimestamp) {
        if (ordered) return actions;
        continue;
      }
      // One that is not ready waits until the others are: two at once might be too many for its peers.
      if (ordered && !isReady(pod) && pod !== this.#firstUnhealthy()) return actions;
      actions.push({ type: 'delete', pod, reason: 'scale down' });
      if (ordered) return actions;
    }
    if (this.#set.spec?.updateStrategy?.type !== 'OnDelete') actions.push(...this.#replace());
    return actions;
  }

  #isAvailable(pod: Live<Pod>): boolean {
    return isAvailable(pod, this.#set.spec?.minReadySeconds ?? 0, this.#nowMs);
  }

  #firstUnhealthy(): Live<Pod> | undefined {
    const inOrder = [...this.#byOrdinal].sort(([a], [b]) => a - b).map(([, pod]) => pod);
    return inOrder.find((pod) => !isReady(pod) || pod.metadata.deletionTimestamp);
  }

  /** Below the partition a pod stays of the revision that it had; so do new ones until the rollout is through. */
  #create(ordinal: number): Action {
    const start = this.#wanted[0] ?? 0;
    const { type, rollingUpdate } = this.#set.spec?.updateStrategy ?? {};
    const kept = rollingUpdate === undefined ? this.#set.status?.currentReplicas : rollingUpdate.partition;
    const isOld = type !== 'OnDelete' && ordinal < start + (kept ?? 0);
    const revision = isOld ? this.#current : this.#update;
    const data = revision.data as unknown as { spec: { template: PodTemplateSpec & { $patch?: string } } };
    const { $patch: _, ...template } = data.spec.template;
    const pod = podOf(this.#set, template, ordinal, revision.metadata?.name ?? '');
    const claims = claimsOf(this.#set, ordinal).filter(({ metadata }) => !this.#observed.claim(metadata?.name ?? ''));
    const { whenDeleted } = this.#set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
    const owned = claims.map((claim) => {
      const owners =
        whenDeleted === 'Delete'
          ? claimOwners(this.#set, claim as Live<PersistentVolumeClaim>, undefined, false)
          : undefined;
      return owners ? { ...claim, metadata: { ...claim.metadata, ownerReferences: owners } } : claim;
    });
    return { type: 'create', pod, claims: owned, reason: `pod ${ordinal}` };
  }

  /** From the highest number, one at a time, and only when the one before is well. */
  #replace(): Action[] {
    const start = this.#wanted[0] ?? 0;
    const least = start + (this.#set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0);
    for (const ordinal of [...this.#wanted].reverse()) {
      if (ordinal < least) break;
      const pod = this.#byOrdinal.get(ordinal);
      // It is being made, and must be well before the next goes.
      if (!pod) break;
      if (pod.metadata.labels?.[REVISION_LABEL] !== this.#update.metadata?.name && !pod.metadata.deletionTimestamp) {
        return [{ type: 'delete', pod, reason: 'of an older revision' }];
      }
      if (pod.metadata.deletionTimestamp || !this.#isAvailable(pod)) break;
    }
    return [];
  }

  #claimOwners(): Action[] {
    const actions: Action[] = [];
    for (const [ordinal, pod] of this.#byOrdinal) {
      for (const { metadata } of this.#set.spec?.volumeClaimTemplates ?? []) {
        const claim = this.#observed.claim(claimName(metadata?.name ?? '', this.#set.metadata.name, ordinal));
        const owners = claim && claimOwners(this.#set, claim, pod, this.#condemned.includes(pod));
        if (!claim || !owners) continue;
        const { name, uid } = claim.metadata;
        actions.push({ type: 'claim owners', name, uid, owners, reason: 'retention policy' });
      }
    }
    return actions;
  }

  status(collisionCount: number): StatefulSetStatus {
    const pods = [...this.#byOrdinal.values()].filter((pod) => !isFinished(pod));
    const live = pods.filter((pod) => !pod.metadata.deletionTimestamp);
    const of = (revision: ControllerRevision) =>
      live.filter((pod) => pod.metadata.labels?.[REVISION_LABEL] === revision.metadata?.name).length;
    const replicas = pods.length;
    const ready = pods.filter(isReady).length;
    const updated = of(this.#update);
    const wanted = this.#wanted.length;
    const rolled = this.#set.spec?.updateStrategy?.type !== 'OnDelete';
    // The rollout is through: what was new is what is.
    const isDone = rolled && updated === replicas && ready === replicas && replicas === wanted;
    const current = isDone ? this.#update : this.#current;
    const counts = { readyReplicas: ready, currentReplicas: of(current), updatedReplicas: updated };
    return {
      observedGeneration: this.#set.metadata.generation as never,
      replicas,
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
      availableReplicas: pods.filter((pod) => this.#isAvailable(pod)).length,
      currentRevision: current.metadata?.name ?? '',
      updateRevision: this.#update.metadata?.name ?? '',
      collisionCount,
    };
  }
}

function forgotten(
  set: Live<StatefulSet>,
  pods: readonly Live<Pod>[],
  { all, update }: Revisions,
  status: StatefulSetStatus,
): readonly string[] {
  const used = new Set([
    update.metadata?.name,
    status.currentRevision,
    ...pods.map((pod) => pod.metadata.labels?.[REVISION_LABEL]),
  ]);
  const old = all
    .filter(({ metadata }) => !used.has(metadata?.name))
    .sort((a, b) => revisionNumber(a as never) - revisionNumber(b as never));
  return old
    .slice(0, Math.max(0, old.length - (set.spec?.revisionHistoryLimit ?? 10)))
    .map(({ metadata }) => metadata?.name ?? '');
}
