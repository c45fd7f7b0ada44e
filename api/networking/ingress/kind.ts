import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { Ingress } from '../../types/networking/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const ingress = defineKind<Ingress>({
  group: 'networking.k8s.io',
  kind: 'Ingress',
  resource: 'ingresses',
  namespaced: true,
  shortNames: ['ing'],
  versions: [{ version: 'v1', type: 'networking.v1.Ingress' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
