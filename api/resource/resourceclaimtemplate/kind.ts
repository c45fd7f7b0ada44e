import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ResourceClaimTemplate } from '../../types/resource/v1.generated.ts';
import { strategy } from './strategy.ts';

export const resourceClaimTemplate = defineKind<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  kind: 'ResourceClaimTemplate',
  resource: 'resourceclaimtemplates',
  namespaced: true,
  versions: [{ version: 'v1', type: 'resource.v1.ResourceClaimTemplate' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
