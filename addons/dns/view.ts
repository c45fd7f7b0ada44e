import { endpointSlices, namespaces, services } from '../../api/resources.ts';
import type { Service } from '../../api/types/core/v1.generated.ts';
import type { EndpointSlice } from '../../api/types/discovery/v1.generated.ts';
import type { Informers } from '../../libs/kind/client.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import { canonicalIp } from '../../libs/machinery/ip.ts';

export type DnsService = DeepReadonly<Service>;
export type DnsEndpointSlice = DeepReadonly<EndpointSlice>;

/** What names are made of: the present Services, EndpointSlices and Namespaces. Read without waiting. */
export interface ClusterView {
  namespaceExists(name: string): boolean;
  service(namespace: string, name: string): DnsService | undefined;
  /** The slices of a Service. */
  slicesOf(namespace: string, service: string): readonly DnsEndpointSlice[];
  /** Services that have this address among their cluster IPs; the address is in its canonical spelling. */
  servicesAt(address: string): readonly DnsService[];
  /** Slices with an endpoint at this address. */
  slicesAt(address: string): readonly DnsEndpointSlice[];
}

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** The view that informers keep up to date: an answer changes with the event that changes the object. */
export function viewOf(informers: Informers): ClusterView {
  const ofServices = informers.informer(services);
  const ofSlices = informers.informer(endpointSlices);
  const ofNamespaces = informers.informer(namespaces);
  ofServices.index('dns/address', addressesOfService);
  ofSlices.index('dns/service', serviceOfSlice);
  ofSlices.index('dns/address', addressesOfSlice);
  return {
    namespaceExists: (name) => ofNamespaces.get(name) !== undefined,
    service: (namespace, name) => ofServices.get(`${namespace}/${name}`),
    slicesOf: (namespace, service) => ofSlices.by('dns/service', `${namespace}/${service}`),
    servicesAt: (address) => ofServices.by('dns/address', address),
    slicesAt: (address) => ofSlices.by('dns/address', address),
  };
}

/** A view of objects at hand, for tests and tools. */
export function viewOfObjects(objects: {
  readonly services?: readonly DnsService[];
  readonly slices?: readonly DnsEndpointSlice[];
}): ClusterView {
  const { services: all = [], slices = [] } = objects;
  return {
    namespaceExists: (name) => all.some(({ metadata }) => metadata?.namespace === name),
    service: (namespace, name) =>
      all.find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name),
    slicesOf: (namespace, service) => slices.filter((slice) => serviceOfSlice(slice)[0] === `${namespace}/${service}`),
    servicesAt: (address) => all.filter((service) => addressesOfService(service).includes(address)),
    slicesAt: (address) => slices.filter((slice) => addressesOfSlice(slice).includes(address)),
  };
}

/** The cluster IPs of a Service in canonical spelling; none for headless ones and ExternalName. */
export function addressesOfService({ spec }: DnsService): string[] {
  if (spec?.type === 'ExternalName') return [];
  const written = spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? ''];
  return written.flatMap((one) => canonicalIp(one) ?? []);
}

function serviceOfSlice({ metadata }: DnsEndpointSlice): string[] {
  const name = metadata?.labels?.[SERVICE_NAME_LABEL];
  return name ? [`${metadata?.namespace}/${name}`] : [];
}

function addressesOfSlice({ endpoints }: DnsEndpointSlice): string[] {
  return (endpoints ?? []).flatMap(({ addresses }) => addresses.flatMap((one) => canonicalIp(one) ?? []));
}
