import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { Secret } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const secret = defineKind<Secret>({
  group: '',
  kind: 'Secret',
  resource: 'secrets',
  namespaced: true,
  versions: [{ version: 'v1', type: 'core.v1.Secret' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: { type: 'core.v1.Secret', field: 'type' },
      value: ({ type }) => type ?? '',
    },
    {
      name: 'Data',
      type: 'string',
      description: { type: 'core.v1.Secret', field: 'data' },
      value: ({ data }) => Object.keys(data ?? {}).length,
    },
    ageColumn,
  ],
  selectableFields: { type: ({ type }) => type ?? '' },
});
