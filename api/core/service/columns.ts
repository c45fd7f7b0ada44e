import type { Column } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabels } from '../../../libs/machinery/labels.ts';
import { documented, NONE } from '../../meta/columns.ts';
import type { Service, ServicePort } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Service>;
const field = (name: string) => documented('core.v1.ServiceSpec', name);

export const columns: readonly Column<Service>[] = [
  nameColumn as Column<Service>,
  { name: 'Type', type: 'string', description: field('type'), value: ({ spec }) => spec?.type ?? '' },
  {
    name: 'Cluster-IP',
    type: 'string',
    description: field('clusterIP'),
    value: ({ spec }) => spec?.clusterIPs?.[0] ?? NONE,
  },
  { name: 'External-IP', type: 'string', description: field('externalIPs'), value: externalIpText },
  { name: 'Port(s)', type: 'string', description: field('ports'), value: portsText },
  ageColumn as Column<Service>,
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: field('selector'),
    value: ({ spec }) => formatLabels(spec?.selector),
  },
];

interface Ingress {
  readonly ip?: string;
  readonly hostname?: string;
}

/** Addresses of load balancers, each once, sorted. */
export function addressesText(ingress: readonly Ingress[] | undefined): string {
  const all = (ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').filter((address) => address !== '');
  return [...new Set(all)].sort().join(',');
}

function externalIpText({ spec, status }: Seen): string {
  const external = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.join(',') || NONE;
    case 'LoadBalancer': {
      const balancer = addressesText(status?.loadBalancer?.ingress);
      return [...(balancer === '' ? [] : [balancer]), ...external].join(',') || '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

function portsText({ spec }: Seen): string {
  const text = ({ port, nodePort, protocol }: DeepReadonly<ServicePort>) =>
    `${nodePort ? `${port}:${nodePort}` : port}/${protocol}`;
  return (spec?.ports ?? []).map(text).join(',') || NONE;
}
