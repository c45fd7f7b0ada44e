import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { CSINode } from '../../types/storage/v1.generated.ts';
import { strategy } from './strategy.ts';

export const csiNode = defineKind<CSINode>({
  group: 'storage.k8s.io',
  kind: 'CSINode',
  resource: 'csinodes',
  namespaced: false,
  versions: [{ version: 'v1', type: 'storage.v1.CSINode' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Drivers',
      type: 'integer',
      description: 'How many CSI drivers the node has',
      value: ({ spec }) => spec?.drivers?.length ?? 0,
    },
    ageColumn,
  ],
});
