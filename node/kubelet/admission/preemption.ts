import { qosClassOf } from '../../../api/core/pod/resources.ts';
import { type NodePod, uidOf } from '../pod/objects.ts';
import { isCritical, requestsOf, shortageOf } from './admission.ts';

/** What a pod that has to go reads as its reason, and why. */
export const PREEMPTION = Object.freeze({
  reason: 'Preempting',
  message: 'Preempted in order to admit critical pod',
});

/**
 * Which of `others` have to go so that a critical pod, for which too little is left, can run: best-effort pods before
 * burstable ones, those before guaranteed ones; among these lower priorities first; and none that need not. Empty where
 * the pod is not critical, or where not even all of them would be enough.
 */
export function victimsOf(
  pod: NodePod,
  others: readonly NodePod[],
  allocatable: Readonly<Record<string, string>>,
): readonly NodePod[] {
  if (!isCritical(pod)) return [];
  const victims = new Set(others.filter((other) => mayEnd(pod, other)));
  const fits = (): boolean =>
    !shortageOf(
      pod,
      others.filter((other) => !victims.has(other)),
      allocatable,
    );
  if (!fits()) return [];
  // The dearest are spared first, as long as the rest is enough.
  for (const dear of [...victims].sort(byWorth)) {
    victims.delete(dear);
    if (!fits()) victims.add(dear);
  }
  return [...victims];
}

function mayEnd(pod: NodePod, other: NodePod): boolean {
  if (!isCritical(other)) return true;
  const [own, theirs] = [pod.spec?.priority, other.spec?.priority];
  return own !== undefined && theirs !== undefined && Number(own) > Number(theirs);
}

const WORTH: Readonly<Record<string, number>> = { Guaranteed: 0, Burstable: 1, BestEffort: 2 };
const classOf = ({ spec }: NodePod): number => WORTH[spec ? qosClassOf(spec) : 'BestEffort'] ?? 2;
const priorityOf = ({ spec }: NodePod): number => Number(spec?.priority ?? 0);
const cpuOf = (pod: NodePod): number => requestsOf(pod).get('cpu') ?? 0;

/** The dearest first; of equals the one that asked for less, so that few large ones go and not many small ones. */
const byWorth = (a: NodePod, b: NodePod): number =>
  classOf(a) - classOf(b) || priorityOf(b) - priorityOf(a) || cpuOf(a) - cpuOf(b) || (uidOf(a) < uidOf(b) ? -1 : 1);
