import { nodes } from '../../../api/resources.ts';
import type { Pod } from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { sameQuantity } from '../../../libs/machinery/quantity.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { refused } from './refusal.ts';

type Seen = DeepReadonly<Pod>;

/** What a change of a bound pod asks of its node, by the names that nodes declare in `status.declaredFeatures`. */
const NEEDED: readonly { readonly feature: string; readonly isNeeded: (pod: Seen, old: Seen) => boolean }[] = [
  {
    feature: 'GuaranteedQoSPodCPUResize',
    isNeeded: (pod, old) =>
      old.status?.qosClass === 'Guaranteed' &&
      (old.spec.containers ?? []).some(({ name, resources }) => {
        const now = pod.spec.containers?.find((container) => container.name === name)?.resources;
        return !sameQuantity(resources?.requests?.['cpu'] ?? '0', now?.requests?.['cpu'] ?? '0');
      }),
  },
  {
    feature: 'InPlacePodLevelResourcesVerticalScaling',
    isNeeded: (pod, old) => !sameValue(pod.spec.resources, old.spec.resources),
  },
];

/** A pod on a node changes only in ways that the node says it can follow. */
export const nodeDeclaredFeatures: AdmissionPlugin = {
  name: 'NodeDeclaredFeatureValidator',
  handles: ({ operation, kind, subresource }) =>
    operation === 'UPDATE' &&
    kind.group === '' &&
    kind.resource === 'pods' &&
    (subresource === '' || subresource === 'resize'),
  async validate(_ctx, request, registry) {
    const [pod, old] = [request.object as Seen, request.oldObject as Seen];
    const { nodeName } = pod.spec;
    if (!nodeName || pod.metadata?.generation === old.metadata?.generation) return;
    const needed = NEEDED.filter(({ isNeeded }) => isNeeded(pod, old)).map(({ feature }) => feature);
    if (needed.length === 0) return;
    const node = await registry.get(nodes, '', nodeName);
    if (!node) throw refused(request, `node ${JSON.stringify(nodeName)} not found`);
    const missing = needed.filter((feature) => !node.status?.declaredFeatures?.includes(feature));
    if (missing.length === 0) return;
    const features = missing.join(', ');
    throw refused(
      request,
      `pod update requires features ${features} which are not available on node ${JSON.stringify(nodeName)}`,
    );
  },
};
