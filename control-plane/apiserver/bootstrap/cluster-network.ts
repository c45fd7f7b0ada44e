/** Where the API server is found from inside the cluster: the range of Services' addresses, and the Service `kubernetes`. */
import { endpointSlices, endpoints, ipAddresses, serviceCIDRs, services } from '../../../api/resources.ts';
import type { EndpointSubset, Endpoints, Service } from '../../../api/types/core/v1.generated.ts';
import type { EndpointSlice } from '../../../api/types/discovery/v1.generated.ts';
import type { ServiceCIDR } from '../../../api/types/networking/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { addressAt, parseCidr } from '../../../libs/machinery/cidr.ts';
import { formatIp, ipVersion } from '../../../libs/machinery/ip.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { ALLOCATOR_NAME, ClusterIps, MANAGED_BY } from '../allocators/cluster-ips.ts';
import type { Engine } from '../registry/engine.ts';
import { ensure, type Wanted, wanted } from './wanted.ts';

export interface ClusterNetwork {
  /** `10.96.0.0/12`: where Services' addresses come from; one, or one of each family. */
  readonly serviceCidrs: readonly string[];
  /** Where this server is reached by nodes and pods; without an address the Service has no endpoints. */
  readonly advertiseAddress?: string;
  readonly port: number;
}

const KUBERNETES = 'kubernetes';
const NAMESPACE = 'default';
const HTTPS_PORT = 443;
const ORPHAN_AGE_MS = 60_000;

/** Makes the range, then the Service out of it, then what stands behind the Service. */
export async function bootstrapNetwork(engine: Engine, ctx: RequestContext, network: ClusterNetwork): Promise<void> {
  await ensureKubernetesService(engine, ctx, network);
  await repairServiceAddresses(engine, ctx);
}

/** Makes the range and the Service `kubernetes` with what stands behind it, or brings them up to date. */
export async function ensureKubernetesService(
  engine: Engine,
  ctx: RequestContext,
  network: ClusterNetwork,
): Promise<void> {
  await ensure(engine, ctx, serviceRange(ctx, network));
  await ensure(engine, ctx, kubernetesService(network));
  const { advertiseAddress } = network;
  if (!advertiseAddress) return;
  await ensure(engine, ctx, kubernetesEndpoints(advertiseAddress, network.port));
  await ensure(engine, ctx, kubernetesEndpointSlice(advertiseAddress, network.port));
}

function serviceRange(ctx: RequestContext, { serviceCidrs }: ClusterNetwork): Wanted {
  const object = { metadata: { name: KUBERNETES }, spec: { cidrs: [...serviceCidrs] } } as ServiceCIDR;
  const status = (draft: ApiObject) => {
    (draft as ServiceCIDR).status = {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastTransitionTime: formatTime(ctx.nowMs),
          reason: '',
          message: 'Kubernetes default Service CIDR is ready',
        },
      ],
    };
  };
  return wanted(serviceCIDRs, object as ApiObject, { status });
}

/** The first address of the range is the API server's. */
function kubernetesService({ serviceCidrs, port }: ClusterNetwork): Wanted {
  const range = parseCidr(serviceCidrs[0] ?? '')?.network;
  const first = range && addressAt(range, 1);
  const ports = [{ name: 'https', protocol: 'TCP', port: HTTPS_PORT, targetPort: port }];
  const repair = (draft: ApiObject) => {
    const { spec } = draft as Service;
    const there = spec?.ports?.map(({ name, protocol, port: own, targetPort }) => ({
      name,
      protocol,
      port: own,
      targetPort,
    }));
    if (!spec || sameValue(there, ports)) return false;
    (draft as Service).spec = { ...spec, ports };
    return true;
  };
  const object: Service = {
    metadata: {
      name: KUBERNETES,
      namespace: NAMESPACE,
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      ...(first ? { clusterIP: formatIp(first) } : {}),
      ipFamilyPolicy: 'SingleStack',
      ports,
      sessionAffinity: 'None',
    },
  };
  return wanted(services, object as ApiObject, { repair });
}

function kubernetesEndpoints(ip: string, port: number): Wanted {
  const subsets: EndpointSubset[] = [{ addresses: [{ ip }], ports: [{ name: 'https', port, protocol: 'TCP' }] }];
  const metadata = {
    name: KUBERNETES,
    namespace: NAMESPACE,
    // Its slice is made here too, so that nobody has to derive it.
    labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
  };
  const repair = (draft: ApiObject) => {
    const mine = draft as Endpoints;
    if (sameValue(mine.subsets, subsets)) return false;
    mine.subsets = subsets;
    return true;
  };
  return wanted(endpoints, { metadata, subsets } as ApiObject, { repair });
}

function kubernetesEndpointSlice(ip: string, port: number): Wanted {
  const parts = {
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
  const metadata = { name: KUBERNETES, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': KUBERNETES } };
  const repair = (draft: ApiObject) => {
    const slice = draft as EndpointSlice;
    if (sameValue(slice.endpoints, parts.endpoints) && sameValue(slice.ports, parts.ports)) return false;
    Object.assign(slice, parts);
    return true;
  };
  const object = { metadata, addressType: ipVersion(ip) === 6 ? 'IPv6' : 'IPv4', ...parts };
  return wanted(endpointSlices, object as ApiObject, { repair });
}

/**
 * A server that stops between taking an address and storing its Service leaves an IPAddress that nobody uses, and one
 * that stops between deleting a Service and its address too; those are freed, and Services without one get theirs.
 */
export async function repairServiceAddresses(engine: Engine, ctx: RequestContext): Promise<void> {
  const { registry } = engine;
  const [all, taken] = await Promise.all([registry.list(services, ''), registry.list(ipAddresses, '')]);
  const used = new Map(
    all.flatMap((service) => (service.spec?.clusterIPs ?? []).map((ip) => [ip, service.metadata] as const)),
  );
  const clusterIps = new ClusterIps(engine.random.fork('repair'));
  for (const { metadata } of taken) {
    const ours = metadata.labels?.[MANAGED_BY] === ALLOCATOR_NAME;
    // A young one may be of a Service that another server is just about to store.
    const old = engine.clock.now() - Date.parse(metadata.creationTimestamp) > ORPHAN_AGE_MS;
    if (ours && old && !used.has(metadata.name)) await clusterIps.free(ctx, registry, metadata.name);
    used.delete(metadata.name);
  }
  const ranges = [...(await clusterIps.ranges(registry)).values()].flat();
  for (const [ip, { name, namespace = '' }] of used) {
    if (ip === 'None' || ip === '') continue;
    try {
      await clusterIps.take(ctx, registry, ranges, ip, { name, namespace });
    } catch (error) {
      engine.log.warn('a Service has an address that cannot be reserved', { namespace, name, ip, error });
    }
  }
}
