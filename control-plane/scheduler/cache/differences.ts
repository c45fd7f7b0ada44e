import { jsonEqual } from '../../../libs/machinery/json-equal.ts';
import type { Node, Pod } from './cluster-objects.ts';

/** Whether a node has changed in what decisions rest on; its heartbeats do not count. */
export function nodeDiffers(now: Node, before: Node): boolean {
  return !(
    jsonEqual(now.metadata?.labels, before.metadata?.labels) &&
    jsonEqual(now.spec?.taints, before.spec?.taints) &&
    Boolean(now.spec?.unschedulable) === Boolean(before.spec?.unschedulable) &&
    jsonEqual(now.status?.allocatable, before.status?.allocatable) &&
    jsonEqual(now.status?.images, before.status?.images) &&
    jsonEqual(now.status?.declaredFeatures, before.status?.declaredFeatures)
  );
}

/** Whether a pod has changed in what decisions rest on; its conditions and ages do not count. */
export function podDiffers(now: Pod, before: Pod): boolean {
  return !(
    now.metadata?.deletionTimestamp === before.metadata?.deletionTimestamp &&
    now.status?.phase === before.status?.phase &&
    now.status?.nominatedNodeName === before.status?.nominatedNodeName &&
    now.status?.startTime === before.status?.startTime &&
    jsonEqual(now.metadata?.labels, before.metadata?.labels) &&
    jsonEqual(now.spec, before.spec) &&
    jsonEqual(now.status?.containerStatuses, before.status?.containerStatuses) &&
    jsonEqual(now.status?.resourceClaimStatuses, before.status?.resourceClaimStatuses)
  );
}
