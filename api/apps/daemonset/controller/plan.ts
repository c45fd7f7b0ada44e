import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Claim } from '../../../core/pod/controller/ownership.ts';
import { isAvailable, isFinished, isReady, untilAvailableMs } from '../../../core/pod/controller/pod-state.ts';
import { daemonSets } from '../../../resources.ts';
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from '../../../types/apps/v1.generated.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { type Revisions, revisionsOf } from '../../controllerrevision/controller/revisions.ts';
import { scaled } from '../../deployment/controller/rollout.ts';
import { fitOf } from './nodes.ts';

export const HASH_LABEL = 'controller-revision-hash';
export const GENERATION_LABEL = 'pod-template-generation';
const GENERATION = 'deprecated.daemonset.template.generation';
const BURST = 250;

export interface Observed {
  readonly set: Live<DaemonSet>;
  readonly pods: Claim<Pod>;
  readonly revisions: readonly Live<ControllerRevision>[];
  readonly nodes: readonly Live<Node>[];
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'claim' }
  | { readonly type: 'revision'; readonly change: 'create' | 'renumber'; readonly revision: ControllerRevision }
  | { readonly type: 'forget'; readonly name: string }
  | { readonly type: 'create'; readonly nodes: readonly string[]; readonly hash: string; readonly generation: string }
  | { readonly type: 'delete'; readonly pods: readonly Live<Pod>[]; readonly failed: readonly Live<Pod>[] }
  | { readonly type: 'status'; readonly status: DaemonSetStatus }
);

/** The pod's node: where it is, or where its affinity will put it. */
export function nodeOf({ spec }: Live<Pod>): string | undefined {
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const field = terms.flatMap(({ matchFields = [] }) => matchFields).find(({ key }) => key === 'metadata.name');
  return spec?.nodeName || field?.values?.[0];
}

/** What is written down of a template. `$patch` says that going back replaces the template as a whole. */
export const revisionData = (template: unknown) => ({
  spec: { template: { ...(template as object), $patch: 'replace' } },
});

/** One pod on every node that fits; on a new template the old pods go, no more at once than may be missing. */
export function plan({ set, pods, revisions: known, nodes }: Observed, nowMs: number): Plan<Action> {
  const actions: Action[] = [];
  const { spec, status, metadata } = set;
  const template = spec?.template;
  if (!template || metadata.deletionTimestamp) return { actions };
  const minReadySeconds = spec?.minReadySeconds ?? 0;
  if (pods.adopt.length + pods.release.length > 0) actions.push({ type: 'claim', reason: 'adopt and release pods' });
  const generation = metadata.annotations?.[GENERATION] ?? '1';
  const labels = template.metadata?.labels ?? {};
  const form = {
    hashLabel: HASH_LABEL,
    data: revisionData(template),
    labels,
    annotations: { [GENERATION]: generation },
  };
  const revisions = revisionsOf(set, daemonSets, known, form, status?.collisionCount ?? 0);
  if (revisions.change !== 'none') {
    actions.push({ type: 'revision', change: revisions.change, revision: revisions.update, reason: 'new template' });
  }
  const hash = revisions.update.metadata?.labels?.[HASH_LABEL] ?? '';
  const isNew = (pod: Live<Pod>) => pod.metadata.labels?.[HASH_LABEL] === hash;
  const byNode = Map.groupBy(pods.owned, (pod) => nodeOf(pod) ?? '');
  const rolling = spec?.updateStrategy?.type !== 'OnDelete';
  const fits = new Map(nodes.map((node) => [node.metadata.name, fitOf(template.spec, node)]));
  const desired = nodes.filter((node) => fits.get(node.metadata.name)?.run).map((node) => node.metadata.name);
  const { maxSurge: surgeText = 0, maxUnavailable: unavailableText = 1 } = spec?.updateStrategy?.rollingUpdate ?? {};
  const maxSurge = rolling ? scaled(surgeText, desired.length, Math.ceil) : 0;
  const maxUnavailable = scaled(unavailableText, desired.length, Math.ceil) || (maxSurge === 0 ? 1 : 0);
  const create: string[] = [];
  const remove = new Set<Live<Pod>>();
  const failed: Live<Pod>[] = [];
  const available = (pod: Live<Pod>) => isAvailable(pod, minReadySeconds, nowMs);
  for (const node of nodes) {
    const { name } = node.metadata;
    const { run = false, stay = false } = fits.get(name) ?? {};
    const here = byNode.get(name) ?? [];
    const live = here.filter((pod) => !pod.metadata.deletionTimestamp);
    if (run && here.length === 0) create.push(name);
    if (!run && !stay) for (const pod of live) remove.add(pod);
    if (!stay) continue;
    // What has ended makes room for another.
    const running = live.filter((pod) => !isFinished(pod));
    for (const pod of live) {
      if (!isFinished(pod)) continue;
      remove.add(pod);
      if (pod.status?.phase === 'Failed') failed.push(pod);
    }
    const surging = maxSurge > 0 && running.length === 2 && running.filter(isNew).length === 1;
    if (!surging) for (const pod of oldest(running).slice(1)) remove.add(pod);
  }
  for (const [name, here] of byNode) {
    // Its node has gone: what is left is for the collector of pods, unless it was never placed.
    if (!fits.has(name))
      for (const pod of here) if (!pod.spec?.nodeName && !pod.metadata.deletionTimestamp) remove.add(pod);
  }
  if (rolling) {
    const turn = roll({ desired, byNode, isNew, available, maxSurge, maxUnavailable });
    for (const pod of turn.remove) remove.add(pod);
    create.push(...turn.create);
  }
  if (remove.size > 0)
    actions.push({ type: 'delete', pods: [...remove].slice(0, BURST), failed, reason: 'not wanted there' });
  if (create.length > 0) {
    actions.push({ type: 'create', nodes: create.slice(0, BURST), hash, generation, reason: 'a node without its pod' });
  }
  for (const name of forgotten(set, pods.owned, revisions))
    actions.push({ type: 'forget', name, reason: 'revision history limit' });
  const next = statusOf(set, { desired, nodes, byNode, isNew, available });
  if (!sameValue(next, status)) actions.push({ type: 'status', status: next, reason: 'status' });
  const againAfterMs = minReadySeconds > 0 ? untilAvailableMs(pods.owned, minReadySeconds, nowMs) : undefined;
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

const oldest = (pods: readonly Live<Pod>[]): readonly Live<Pod>[] =>
  [...pods].sort(
    (a, b) =>
      Number(isReady(b)) - Number(isReady(a)) ||
      (epochMs(a.metadata.creationTimestamp) ?? 0) - (epochMs(b.metadata.creationTimestamp) ?? 0),
  );

interface Rolling {
  readonly desired: readonly string[];
  readonly byNode: ReadonlyMap<string, readonly Live<Pod>[]>;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  isNew(pod: Live<Pod>): boolean;
  available(pod: Live<Pod>): boolean;
}

/** The old pods that may go now, and the nodes that may have a second pod for a while. */
function roll({ desired, byNode, maxSurge, maxUnavailable, isNew, available }: Rolling) {
  const [broken, candidates, create]: [Live<Pod>[], Live<Pod>[], string[]] = [[], [], []];
  const remove: Live<Pod>[] = [];
  let [unavailable, surging] = [0, 0];
  const surgeTo: string[] = [];
  for (const node of desired) {
    const live = (byNode.get(node) ?? []).filter((pod) => !pod.metadata.deletionTimestamp && !isFinished(pod));
    const [fresh, old] = [live.find(isNew), live.find((pod) => !isNew(pod))];
    if (maxSurge > 0) {
      if (old && fresh) {
        if (available(fresh)) remove.push(old);
        else surging++;
      } else if (old && !available(old)) remove.push(old);
      else if (old) surgeTo.push(node);
      continue;
    }
    if (!old) {
      if (!fresh || !available(fresh)) unavailable++;
    } else if (!available(old)) {
      unavailable++;
      broken.push(old);
    } else candidates.push(old);
  }
  create.push(...surgeTo.slice(0, Math.max(0, maxSurge - surging)));
  // Replacing what does not work makes nothing worse.
  return { create, remove: [...remove, ...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] };
}

/** Revisions beyond the limit that no pod is of. */
function forgotten(set: Live<DaemonSet>, pods: readonly Live<Pod>[], { all, update }: Revisions): readonly string[] {
  const used = new Set(pods.map((pod) => pod.metadata.labels?.[HASH_LABEL]));
  const old = all.filter((revision) => revision !== update && !used.has(revision.metadata?.labels?.[HASH_LABEL]));
  const surplus = all.length - 1 - (set.spec?.revisionHistoryLimit ?? 10);
  return old.slice(0, Math.max(0, surplus)).map(({ metadata }) => metadata?.name ?? '');
}

function statusOf(
  set: Live<DaemonSet>,
  {
    desired,
    nodes,
    byNode,
    isNew,
    available,
  }: Pick<Rolling, 'desired' | 'byNode' | 'isNew' | 'available'> & { nodes: readonly Live<Node>[] },
): DaemonSetStatus {
  let [current, misscheduled, ready, availableCount, updated] = [0, 0, 0, 0, 0];
  const wanted = new Set(desired);
  for (const { metadata } of nodes) {
    const here = byNode.get(metadata.name) ?? [];
    if (here.length === 0) continue;
    if (!wanted.has(metadata.name)) {
      misscheduled++;
      continue;
    }
    current++;
    const [pod] = oldest(here);
    if (!pod || pod.metadata.deletionTimestamp) continue;
    const serving = here.filter((one) => !one.metadata.deletionTimestamp);
    if (serving.some(isReady)) ready++;
    if (serving.some(available)) availableCount++;
    if (serving.some(isNew)) updated++;
  }
  const more = {
    updatedNumberScheduled: updated,
    numberAvailable: availableCount,
    numberUnavailable: desired.length - availableCount,
  };
  return {
    currentNumberScheduled: current,
    numberMisscheduled: misscheduled,
    desiredNumberScheduled: desired.length,
    numberReady: ready,
    observedGeneration: set.metadata.generation as never,
    ...Object.fromEntries(Object.entries(more).filter(([, count]) => count > 0)),
    ...(set.status?.collisionCount === undefined ? {} : { collisionCount: set.status.collisionCount }),
  };
}
