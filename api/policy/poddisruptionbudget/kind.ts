import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { PodDisruptionBudget } from '../../types/policy/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const podDisruptionBudget = defineKind<PodDisruptionBudget>({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  resource: 'poddisruptionbudgets',
  namespaced: true,
  shortNames: ['pdb'],
  versions: [{ version: 'v1', type: 'policy.v1.PodDisruptionBudget' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'Min Available',
      type: 'string',
      description: 'How many pods must stay available',
      value: ({ spec }) => String(spec?.minAvailable ?? 'N/A'),
    },
    {
      name: 'Max Unavailable',
      type: 'string',
      description: 'How many pods may be missing',
      value: ({ spec }) => String(spec?.maxUnavailable ?? 'N/A'),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'How many pods may be evicted right now',
      value: ({ status }) => status?.disruptionsAllowed ?? 0,
    },
    ageColumn,
  ],
});
