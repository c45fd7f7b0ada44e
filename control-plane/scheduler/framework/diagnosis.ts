import type { Status } from './status.ts';

/** Why a pod fits nowhere: the refusal of every node, or of the pod as a whole. */
export interface Diagnosis {
  readonly nodesCount: number;
  /** By slot; empty where the pod as a whole was refused before nodes were looked at. */
  readonly refusals: ReadonlyMap<number, Status>;
  /** The refusal of the pod as a whole, by a plugin's preFilter. */
  readonly podRefusal?: Status;
  /** The plugins that have refused, whose events may bring the pod back. */
  readonly plugins: ReadonlySet<string>;
}

export const NO_NODES = 'no nodes available to schedule pods';

/** `0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.`, in upstream's form and order. */
export function reasonsMessage(nodesCount: number, refusals: Iterable<Status>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of refusals) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const texts = Array.from(counts, ([reason, count]) => `${count} ${reason}`).sort((a, b) => (a < b ? -1 : 1));
  return `0/${nodesCount} nodes are available${texts.length > 0 ? `: ${texts.join(', ')}.` : ''}`;
}

/** The message of the `PodScheduled` condition and of the `FailedScheduling` event. */
export function fitMessage(diagnosis: Diagnosis, postFilterMessage: string): string {
  if (diagnosis.nodesCount === 0) return NO_NODES;
  const { podRefusal, nodesCount } = diagnosis;
  const message = podRefusal
    ? `0/${nodesCount} nodes are available: ${podRefusal.reasons.join(', ')}.`
    : reasonsMessage(nodesCount, diagnosis.refusals.values());
  return postFilterMessage ? `${message} ${postFilterMessage}` : message;
}
