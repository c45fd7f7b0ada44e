import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { PodDisruptionBudget } from '../../types/policy/v1.generated.ts';
import { strategy, statusStrategy } from './strategy.ts';

export const podDisruptionBudget = defineKind<PodDisruptionBudget>({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  resource: 'poddisruptionbudgets',
  namespaced: true,
  shortNames: ['pdb'],
  versions: [{ version: 'v1', type: 'policy.v1.PodDisruptionBudget' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
