import { defineKind } from '../../../libs/kind/kind.ts';
import type { Node } from '../../types/core/v1.generated.ts';
import { columns } from './columns.ts';
import { proxy } from './kubelet.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const node = defineKind<Node>({
  group: '',
  kind: 'Node',
  resource: 'nodes',
  namespaced: false,
  shortNames: ['no'],
  versions: [{ version: 'v1', type: 'core.v1.Node' }],
  strategy,
  subresources: { proxy, status: { form: 'status', strategy: statusStrategy } },
  columns,
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
});
