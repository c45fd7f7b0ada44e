import { defineKind } from '../../../libs/kind/kind.ts';
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
  columns: [nameColumn, ageColumn],
});
