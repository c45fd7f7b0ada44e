import type { Service } from '../../api/types/core/v1.generated.ts';
import type { EndpointSlice } from '../../api/types/discovery/v1.generated.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';

export type ProxyService = DeepReadonly<Service>;
export type ProxySlice = DeepReadonly<EndpointSlice>;

export type Family = 4 | 6;

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** Somebody else's proxy serves what carries this label (API concept "Service", custom proxies). */
export const FOREIGN_PROXY_LABEL = 'service.kubernetes.io/service-proxy-name';

/** What the node is, and which networks the cluster has. */
export interface ProxyConfig {
  readonly nodeName: string;
  /** The node's `topology.kubernetes.io/zone`, where it has one: for Services that prefer endpoints nearby. */
  readonly zone?: string;
  /** The networks of all pods, of both families; connections to a cluster IP from elsewhere are masqueraded. */
  readonly clusterCidrs: readonly string[];
  /** The networks of cluster IPs. */
  readonly serviceCidrs: readonly string[];
}
