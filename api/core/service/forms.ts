/** What kinds of Service have which fields; shared by defaults, checks and allocation. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Service } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Service>;

export const NO_CLUSTER_IP = 'None';

export const typeOf = ({ spec }: Seen): string => spec?.type ?? '';
export const isHeadless = ({ spec }: Seen): boolean =>
  spec?.clusterIPs?.length === 1 && spec.clusterIPs[0] === NO_CLUSTER_IP;
export const isLoadBalancer = (service: Seen): boolean => typeOf(service) === 'LoadBalancer';

/** Every type but ExternalName has an address, or says that it has none. */
export const needsClusterIP = (service: Seen): boolean =>
  ['ClusterIP', 'NodePort', 'LoadBalancer'].includes(typeOf(service));

export const needsNodePort = (service: Seen): boolean =>
  typeOf(service) === 'NodePort' || (isLoadBalancer(service) && service.spec?.allocateLoadBalancerNodePorts !== false);

/** Ports may stand there although none is given out by itself. */
export const mayHaveNodePort = (service: Seen): boolean => typeOf(service) === 'NodePort' || isLoadBalancer(service);

export const needsExternalTrafficPolicy = (service: Seen): boolean =>
  mayHaveNodePort(service) || (typeOf(service) === 'ClusterIP' && (service.spec?.externalIPs?.length ?? 0) > 0);

/** Only where a load balancer must know which nodes have pods of the service. */
export const needsHealthCheckNodePort = (service: Seen): boolean =>
  isLoadBalancer(service) && service.spec?.externalTrafficPolicy === 'Local';

/** Addresses that are really the service's own. */
export const addressesOf = ({ spec }: Seen): readonly string[] =>
  (spec?.clusterIPs ?? []).filter((ip) => ip !== '' && ip !== NO_CLUSTER_IP);
