// Which nodes a DaemonSet's pods belong on, and what its pods tolerate so that they stay there.

import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { selectsNode, tolerates } from '../../../core/node/placement.ts';
import type { Node, PodSpec, Toleration } from '../../../types/core/v1.generated.ts';

const TOLERATED: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const HOST_NETWORK: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** The tolerations of a pod of a DaemonSet: the template's, and those for every trouble that a node may have. */
export function daemonTolerations(spec: DeepReadonly<PodSpec>): Toleration[] {
  const tolerations = [...((spec.tolerations ?? []) as Toleration[])];
  for (const toleration of spec.hostNetwork ? [...TOLERATED, HOST_NETWORK] : TOLERATED) {
    const { key, effect } = toleration;
    if (!tolerations.some((known) => known.key === key && known.effect === effect && known.operator === 'Exists')) {
      tolerations.push(toleration);
    }
  }
  return tolerations;
}

/** `run`: a pod may be made there; `stay`: one that is there already may remain. */
export function fitOf(
  spec: DeepReadonly<PodSpec>,
  node: Live<Node>,
): { readonly run: boolean; readonly stay: boolean } {
  const named = spec.nodeName === undefined || spec.nodeName === '' || spec.nodeName === node.metadata.name;
  if (!named || !selectsNode(spec, node)) return { run: false, stay: false };
  const tolerations = daemonTolerations(spec);
  const untolerated = (node.spec?.taints ?? []).filter((taint) => !tolerations.some((one) => tolerates(one, taint)));
  return {
    run: !untolerated.some(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute'),
    stay: !untolerated.some(({ effect }) => effect === 'NoExecute'),
  };
}
