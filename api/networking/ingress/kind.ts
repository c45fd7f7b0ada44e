import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { addressesText } from '../../core/service/columns.ts';
import { firstFew, NONE } from '../../meta/columns.ts';
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
  columns: [
    nameColumn,
    {
      name: 'Class',
      type: 'string',
      description: 'The class of the Ingress: who carries it out',
      value: ({ spec }) => spec?.ingressClassName ?? NONE,
    },
    {
      name: 'Hosts',
      type: 'string',
      description: 'Names for which there are rules',
      value: ({ spec }) =>
        firstFew(
          (spec?.rules ?? []).flatMap(({ host }) => (host ? [host] : [])),
          '*',
        ),
    },
    {
      name: 'Address',
      type: 'string',
      description: 'Where the traffic comes in',
      value: ({ status }) => addressesText(status?.loadBalancer?.ingress),
    },
    {
      name: 'Ports',
      type: 'string',
      description: 'Ports that are open for it',
      value: ({ spec }) => (spec?.tls?.length ? '80, 443' : '80'),
    },
    ageColumn,
  ],
});
