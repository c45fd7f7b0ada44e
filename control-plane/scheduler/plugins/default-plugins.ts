import type { FeatureGates } from '../../../libs/kind/reconciler.ts';
import type { EnabledPlugin } from '../framework/profile.ts';
import { defaultBinder } from './default-binder/default-binder.ts';
import { defaultPreemption } from './default-preemption/default-preemption.ts';
import { dynamicResources } from './dynamic-resources/dynamic-resources.ts';
import { imageLocality } from './image-locality/image-locality.ts';
import { type InterPodAffinityArgs, interPodAffinity } from './inter-pod-affinity/inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity/node-affinity.ts';
import { nodeDeclaredFeatures } from './node-declared-features/node-declared-features.ts';
import { nodeName } from './node-name/node-name.ts';
import { nodePorts } from './node-ports/node-ports.ts';
import { nodeResourcesBalancedAllocation } from './node-resources/balanced-allocation.ts';
import { type NodeResourcesFitArgs, nodeResourcesFit } from './node-resources/node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable/node-unschedulable.ts';
import { nodeVolumeLimits } from './node-volume-limits/node-volume-limits.ts';
import { type PodTopologySpreadArgs, podTopologySpread } from './pod-topology-spread/pod-topology-spread.ts';
import { prioritySort } from './priority-sort/priority-sort.ts';
import { schedulingGates } from './scheduling-gates/scheduling-gates.ts';
import { taintToleration } from './taint-toleration/taint-toleration.ts';
import { volumeBinding } from './volume-binding/volume-binding.ts';
import { volumeRestrictions } from './volume-restrictions/volume-restrictions.ts';
import { volumeZone } from './volume-zone/volume-zone.ts';

/** Arguments of plugins by name, as a configuration's `pluginConfig` gives them. */
export interface PluginArgs {
  readonly NodeResourcesFit?: NodeResourcesFitArgs;
  readonly NodeResourcesBalancedAllocation?: Parameters<typeof nodeResourcesBalancedAllocation>[0];
  readonly NodeAffinity?: Parameters<typeof nodeAffinity>[0];
  readonly PodTopologySpread?: PodTopologySpreadArgs;
  readonly InterPodAffinity?: InterPodAffinityArgs;
}

/** The plugins of a profile that configures nothing, in upstream's order and with its weights. */
export function defaultPlugins(args: PluginArgs, featureGates: FeatureGates): EnabledPlugin[] {
  const comparison = featureGates.enabled('TaintTolerationComparisonOperators');
  return [
    { plugin: schedulingGates(), weight: 0 },
    { plugin: prioritySort(), weight: 0 },
    { plugin: nodeUnschedulable(), weight: 0 },
    { plugin: nodeName(), weight: 0 },
    { plugin: taintToleration({ comparison }), weight: 3 },
    { plugin: nodeAffinity(args.NodeAffinity), weight: 2 },
    { plugin: nodePorts(), weight: 0 },
    { plugin: nodeResourcesFit(args.NodeResourcesFit), weight: 1 },
    { plugin: volumeRestrictions(), weight: 0 },
    { plugin: nodeVolumeLimits(), weight: 0 },
    { plugin: volumeBinding(), weight: 0 },
    { plugin: volumeZone(), weight: 0 },
    { plugin: podTopologySpread(args.PodTopologySpread), weight: 2 },
    { plugin: interPodAffinity(args.InterPodAffinity), weight: 2 },
    { plugin: dynamicResources(), weight: 0 },
    { plugin: nodeDeclaredFeatures(), weight: 0 },
    { plugin: defaultPreemption(), weight: 0 },
    { plugin: nodeResourcesBalancedAllocation(args.NodeResourcesBalancedAllocation), weight: 1 },
    { plugin: imageLocality(), weight: 1 },
    { plugin: defaultBinder(), weight: 0 },
  ];
}
