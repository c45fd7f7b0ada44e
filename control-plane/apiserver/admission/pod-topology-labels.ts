import { nodes } from '../../../api/resources.ts';
import type { Binding } from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';

const LABELS = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** A pod that is bound to a node gets the node's zone and region as labels, for its containers to read. */
export const podTopologyLabels: AdmissionPlugin = {
  name: 'PodTopologyLabels',
  handles: ({ operation, kind, subresource }) =>
    operation === 'CREATE' && kind.group === '' && kind.resource === 'pods' && subresource === 'binding',
  async admit(_ctx, request, registry) {
    const binding = request.object as Binding;
    const { kind, name } = binding.target ?? {};
    if ((kind && kind !== 'Node') || !name) return;
    const labels = (await registry.get(nodes, '', name))?.metadata.labels;
    if (!labels) return;
    const added = LABELS.filter((label) => labels[label] !== undefined);
    if (added.length === 0) return;
    const metadata = (binding.metadata ??= {});
    metadata.labels = {
      ...metadata.labels,
      ...Object.fromEntries(added.map((label) => [label, labels[label] as string])),
    };
  },
};
