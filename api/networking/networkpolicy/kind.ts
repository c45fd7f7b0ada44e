import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { NetworkPolicy } from '../../types/networking/v1.generated.ts';
import { strategy } from './strategy.ts';

export const networkPolicy = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  kind: 'NetworkPolicy',
  resource: 'networkpolicies',
  namespaced: true,
  shortNames: ['netpol'],
  versions: [{ version: 'v1', type: 'networking.v1.NetworkPolicy' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
