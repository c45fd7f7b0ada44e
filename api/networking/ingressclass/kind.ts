import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { IngressClass } from '../../types/networking/v1.generated.ts';
import { strategy } from './strategy.ts';

export const ingressClass = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  kind: 'IngressClass',
  resource: 'ingressclasses',
  namespaced: false,
  versions: [{ version: 'v1', type: 'networking.v1.IngressClass' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
