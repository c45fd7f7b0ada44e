import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, firstFew, UNSET } from '../../meta/columns.ts';
import type { EndpointSlice } from '../../types/discovery/v1.generated.ts';
import { strategy } from './strategy.ts';

export const endpointSlice = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  resource: 'endpointslices',
  namespaced: true,
  versions: [{ version: 'v1', type: 'discovery.v1.EndpointSlice' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'AddressType',
      type: 'string',
      description: documented('discovery.v1.EndpointSlice', 'addressType'),
      value: ({ addressType }) => addressType ?? '',
    },
    {
      name: 'Ports',
      type: 'string',
      description: documented('discovery.v1.EndpointSlice', 'ports'),
      value: ({ ports }) => firstFew((ports ?? []).map(portText), UNSET),
    },
    {
      name: 'Endpoints',
      type: 'string',
      description: documented('discovery.v1.EndpointSlice', 'endpoints'),
      value: ({ endpoints }) =>
        firstFew(
          (endpoints ?? []).flatMap(({ addresses }) => addresses ?? []),
          UNSET,
        ),
    },
    ageColumn,
  ],
});

/** By number, else by name; a port that is neither stands for all. */
const portText = ({ port, name }: { readonly port?: number; readonly name?: string }) => String(port ?? (name || '*'));
