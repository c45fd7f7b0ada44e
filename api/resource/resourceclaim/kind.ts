import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ResourceClaim } from '../../types/resource/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const resourceClaim = defineKind<ResourceClaim>({
  group: 'resource.k8s.io',
  kind: 'ResourceClaim',
  resource: 'resourceclaims',
  namespaced: true,
  versions: [{ version: 'v1', type: 'resource.v1.ResourceClaim' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'State',
      type: 'string',
      description: 'Whether devices are allocated, and reserved for somebody',
      value: stateText,
    },
    ageColumn,
  ],
});

function stateText({ metadata, status }: DeepReadonly<ResourceClaim>): string {
  const states: string[] = [];
  if (metadata?.deletionTimestamp) states.push('deleted');
  if (!status?.allocation) {
    if (!metadata?.deletionTimestamp) states.push('pending');
    return states.join(',');
  }
  states.push('allocated');
  if (status.reservedFor?.length) states.push('reserved');
  return states.join(',');
}
