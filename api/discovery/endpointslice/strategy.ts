import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { EndpointSlice } from '../../types/discovery/v1.generated.ts';
import { validateEndpointSlice, validateEndpointSliceUpdate } from './validation.ts';

export const strategy: Strategy<EndpointSlice> = {
  generation: 'count',
  // Consumers select slices by label, so a change of labels is a change of what they say.
  generationChanged: (draft, old) =>
    !sameValue(draft.endpoints, old.endpoints) ||
    !sameValue(draft.ports, old.ports) ||
    !sameValue(draft.metadata?.labels ?? {}, old.metadata?.labels ?? {}),
  defaults(draft) {
    for (const port of draft.ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  prepareForCreate: (_ctx, draft) => dropTopology(draft),
  prepareForUpdate: (_ctx, draft, old) => dropTopology(draft, old),
  validate: validateEndpointSlice,
  validateUpdate: validateEndpointSliceUpdate,
  warnings: ({ addressType }) => (addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
};

/** Only what older versions stored may still carry a topology; v1 has `zone` and `nodeName`. */
function dropTopology(draft: EndpointSlice, old?: DeepReadonly<EndpointSlice>): void {
  const kept = old?.endpoints?.some(({ deprecatedTopology }) => deprecatedTopology !== undefined);
  if (kept) return;
  for (const endpoint of draft.endpoints ?? []) delete endpoint.deprecatedTopology;
}
