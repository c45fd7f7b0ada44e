import { defineKind } from '../../../libs/kind/kind.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { LimitRange } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const limitRange = defineKind<LimitRange>({
  group: '',
  kind: 'LimitRange',
  resource: 'limitranges',
  namespaced: true,
  shortNames: ['limits'],
  versions: [{ version: 'v1', type: 'core.v1.LimitRange' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      description: { type: 'meta.v1.ObjectMeta', field: 'creationTimestamp' },
      value: ({ metadata }) => metadata?.creationTimestamp ?? '',
    },
  ],
});
