import type { Live } from '../../../../libs/kind/object.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import { isFinished, isReady } from '../../../core/pod/controller/pod-state.ts';
import type { Node, Pod, Service } from '../../../types/core/v1.generated.ts';
import type { Endpoint, EndpointPort } from '../../../types/discovery/v1.generated.ts';
import type { EndpointGroup } from './plan.ts';

const ZONE = 'topology.kubernetes.io/zone';

/** The ports of a Service as one pod has them: a port may be named and lie elsewhere in each. */
export function portsOf(service: Live<Service>, pod: Live<Pod>): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const { name, port, targetPort, protocol = 'TCP', appProtocol } of service.spec?.ports ?? []) {
    const number = typeof targetPort === 'string' ? namedPort(pod, targetPort, protocol) : targetPort || port;
    if (number === undefined) continue;
    ports.push({ name: name ?? '', port: number, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return ports;
}

function namedPort(pod: Live<Pod>, name: string, protocol: string): number | undefined {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports = [] } of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const port of ports)
      if (port.name === name && (port.protocol ?? 'TCP') === protocol) return port.containerPort;
  }
  return undefined;
}

export const isHeadless = (service: Live<Service>): boolean => service.spec?.clusterIP === 'None';

/** The name under which a pod is found below a headless Service. */
export const hostnameOf = (service: Live<Service>, pod: Live<Pod>): string | undefined =>
  pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

export const targetOf = (pod: Live<Pod>) => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace ?? '',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
});

/** The pods behind a Service, by address family and ports. At least one group a family, so that there is a slice. */
export function groupsOf(
  service: Live<Service>,
  pods: readonly Live<Pod>[],
  nodeOf: (name: string) => Live<Node> | undefined,
): EndpointGroup[] {
  const groups: EndpointGroup[] = [];
  // Ports that are numbers are those of every pod.
  const isNamed = (service.spec?.ports ?? []).some(({ targetPort }) => typeof targetPort === 'string');
  for (const family of service.spec?.ipFamilies ?? ['IPv4']) {
    const byPorts = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>();
    let known: { readonly ports: EndpointPort[]; readonly id: string } | undefined;
    for (const pod of pods) {
      if (isFinished(pod)) continue;
      const address = pod.status?.podIPs?.find(({ ip }) => ip?.includes(':') === (family === 'IPv6'))?.ip;
      if (!address) continue;
      if (isNamed || !known) {
        const ports = portsOf(service, pod);
        known = { ports, id: JSON.stringify(ports) };
      }
      const { ports, id } = known;
      if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue;
      let group = byPorts.get(id);
      if (!group) byPorts.set(id, (group = { ports, endpoints: [] }));
      group.endpoints.push(endpointOf(service, pod, address, nodeOf));
    }
    if (byPorts.size === 0) byPorts.set('', { ports: [], endpoints: [] });
    for (const { ports, endpoints } of byPorts.values()) {
      groups.push({ addressType: family, ports, endpoints: withHints(service, endpoints) });
    }
  }
  return groups;
}

function endpointOf(
  service: Live<Service>,
  pod: Live<Pod>,
  address: string,
  nodeOf: (name: string) => Live<Node> | undefined,
): Endpoint {
  const terminating = Boolean(pod.metadata.deletionTimestamp);
  const serving = isReady(pod);
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameOf(service, pod);
  const { nodeName } = pod.spec ?? {};
  const zone = nodeName ? valueIn(nodeOf(nodeName)?.metadata.labels as Record<string, string>, ZONE) : undefined;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname ? { hostname } : {}),
    targetRef: targetOf(pod),
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
  };
}

/** Where traffic shall stay near: each endpoint is for its own zone, or its own node. */
function withHints(service: Live<Service>, endpoints: readonly Endpoint[]): Endpoint[] {
  const { trafficDistribution } = service.spec ?? {};
  const bySameNode = trafficDistribution === 'PreferSameNode';
  if (!bySameNode && trafficDistribution !== 'PreferClose' && trafficDistribution !== 'PreferSameZone')
    return [...endpoints];
  return endpoints.map((endpoint) => {
    const { conditions, zone, nodeName } = endpoint;
    if (!conditions?.ready) return endpoint;
    const hints = {
      ...(zone ? { forZones: [{ name: zone }] } : {}),
      ...(bySameNode && nodeName ? { forNodes: [{ name: nodeName }] } : {}),
    };
    return Object.keys(hints).length > 0 ? { ...endpoint, hints } : endpoint;
  });
}
