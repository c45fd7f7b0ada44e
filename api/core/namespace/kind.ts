import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { Namespace } from '../../types/core/v1.generated.ts';
import { finalizeStrategy, statusStrategy, strategy } from './strategy.ts';

export const namespace = defineKind<Namespace>({
  group: '',
  kind: 'Namespace',
  resource: 'namespaces',
  namespaced: false,
  shortNames: ['ns'],
  versions: [{ version: 'v1', type: 'core.v1.Namespace' }],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  strategy,
  subresources: {
    finalize: { form: 'status', verbs: ['update'], strategy: finalizeStrategy },
    status: { form: 'status', strategy: statusStrategy },
  },
  columns: [
    nameColumn,
    {
      name: 'Status',
      type: 'string',
      description: 'Whether the namespace is in use or going away',
      value: ({ status }) => status?.phase ?? '',
    },
    ageColumn,
  ],
  selectableFields: { 'status.phase': ({ status }) => status?.phase ?? '' },
});
