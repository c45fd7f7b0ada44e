import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabelSelector } from '../../../libs/machinery/labels.ts';
import { documented } from '../../meta/columns.ts';
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
  columns: [
    nameColumn,
    {
      name: 'Pod-Selector',
      type: 'string',
      description: documented('networking.v1.NetworkPolicySpec', 'podSelector'),
      value: ({ spec }) => formatLabelSelector(spec?.podSelector),
    },
    ageColumn,
  ],
});
