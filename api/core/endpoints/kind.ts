import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { EndpointSubset, Endpoints } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const endpoints = defineKind<Endpoints>({
  group: '',
  kind: 'Endpoints',
  resource: 'endpoints',
  namespaced: true,
  shortNames: ['ep'],
  versions: [
    {
      version: 'v1',
      type: 'core.v1.Endpoints',
      deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    },
  ],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Endpoints',
      type: 'string',
      description: { type: 'core.v1.Endpoints', field: 'subsets' },
      value: ({ subsets }) => shortList(subsets ?? []),
    },
    ageColumn,
  ],
});

/** More are counted, not shown. */
const SHOWN = 3;

function shortList(subsets: DeepReadonly<EndpointSubset[]>): string {
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) =>
          addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
        ),
  );
  if (all.length === 0) return '<none>';
  const shown = all.slice(0, SHOWN).join(',');
  return all.length > SHOWN ? `${shown} + ${all.length - SHOWN} more...` : shown;
}
