import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import type { Deployment } from '../../types/apps/v1.generated.ts';
import { strategy, statusStrategy } from './strategy.ts';

export const deployment = defineKind<Deployment>({
  group: 'apps',
  kind: 'Deployment',
  resource: 'deployments',
  namespaced: true,
  shortNames: ['deploy'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'apps.v1.Deployment' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, scale: scaleSubresource() },
  columns: [nameColumn, ageColumn],
});
