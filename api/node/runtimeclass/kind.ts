import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { RuntimeClass } from '../../types/node/v1.generated.ts';
import { strategy } from './strategy.ts';

export const runtimeClass = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  kind: 'RuntimeClass',
  resource: 'runtimeclasses',
  namespaced: false,
  versions: [{ version: 'v1', type: 'node.v1.RuntimeClass' }],
  strategy,
  columns: [
    nameColumn,
    { name: 'Handler', type: 'string', description: '', value: ({ handler }) => handler ?? '' },
    ageColumn,
  ],
});
