import {
  type LabelRequirement,
  type LabelSelector,
  labelSelectorOf,
  nothing,
  selectorOfLabels,
} from '../../../../libs/machinery/labels.ts';
import type { ClusterObjects } from '../../cache/cluster-objects.ts';
import type { PodInfo } from '../../cache/pod-info.ts';

/**
 * Which pods belong together with this one, where it does not say so itself: those that the Services selecting it select,
 * and those of its controller, all at once. Nothing where neither is there.
 */
export function defaultSelector(pod: PodInfo, objects: ClusterObjects): LabelSelector {
  const requirements: LabelRequirement[] = [];
  if (objects.has('Service')) {
    for (const service of objects.list('Service')) {
      const selector = service.spec?.selector;
      if (service.metadata?.namespace !== pod.namespace || !selector || Object.keys(selector).length === 0) continue;
      const selects = selectorOfLabels(selector);
      if (selects.matches(pod.labels)) requirements.push(...selects.requirements);
    }
  }
  requirements.push(...ownerSelector(pod, objects).requirements);
  return requirements.length === 0 ? nothing : selectorAll(requirements);
}

function selectorAll(requirements: readonly LabelRequirement[]): LabelSelector {
  return selectorOfLabels({}).and(requirements);
}

function ownerSelector(pod: PodInfo, objects: ClusterObjects): LabelSelector {
  const owner = pod.pod.metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return nothing;
  const key = `${pod.namespace}/${owner.name}`;
  try {
    switch (`${owner.apiVersion} ${owner.kind}`) {
      case 'v1 ReplicationController':
        return selectorOfLabels(objects.get('ReplicationController', key)?.spec?.selector);
      case 'apps/v1 ReplicaSet':
        return labelSelectorOf(objects.get('ReplicaSet', key)?.spec?.selector);
      case 'apps/v1 StatefulSet':
        return labelSelectorOf(objects.get('StatefulSet', key)?.spec?.selector);
      default:
        return nothing;
    }
  } catch {
    // A selector that cannot be read selects nothing.
    return nothing;
  }
}
