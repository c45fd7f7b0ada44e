import { formatTime } from '../../../../libs/base/clock.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import {
  hostnameOf,
  isHeadless,
  portsOf,
  targetOf,
} from '../../../discovery/endpointslice/controller/service-endpoints.ts';
import type { EndpointAddress, EndpointSubset, Endpoints, Pod, Service } from '../../../types/core/v1.generated.ts';
import { isReady } from '../../pod/controller/pod-state.ts';

const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
const CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const HEADLESS = 'service.kubernetes.io/headless';
const ADDRESSES_MAX = 1000;

export interface Observed {
  readonly service: Live<Service>;
  readonly pods: readonly Live<Pod>[];
  readonly endpoints: Live<Endpoints> | undefined;
  /** When what is new came about. */
  readonly changesMs: readonly number[];
}

export interface Action {
  readonly type: 'create' | 'update';
  readonly reason: string;
  readonly endpoints: Endpoints;
}

/** The old form of what EndpointSlices say: all addresses of a Service in one object. */
export function plan({ service, pods, endpoints, changesMs }: Observed): Plan<Action> {
  const { subsets, isCut } = subsetsOf(service, pods);
  const labels: Record<string, string> = {
    ...(service.metadata.labels as Record<string, string> | undefined),
    ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
    [MANAGED_BY]: 'endpoint-controller',
  };
  const {
    [TRIGGER_TIME]: _told,
    [CAPACITY]: _cut,
    ...others
  } = (endpoints?.metadata.annotations ?? {}) as Record<string, string>;
  const isCutNow = endpoints?.metadata.annotations?.[CAPACITY] !== undefined;
  const isSame =
    endpoints && sameValue(endpoints.subsets ?? [], subsets) && sameValue(endpoints.metadata.labels, labels);
  if (isSame && isCut === isCutNow) return { actions: [] };
  const annotations = {
    ...others,
    ...(changesMs.length > 0 ? { [TRIGGER_TIME]: formatTime(Math.min(...changesMs)) } : {}),
    ...(isCut ? { [CAPACITY]: 'truncated' } : {}),
  };
  const { name, namespace = '' } = service.metadata;
  const base = endpoints ? { ...endpoints.metadata } : { name, namespace };
  const changed = { ...(endpoints ?? {}), metadata: { ...base, labels, annotations }, subsets } as unknown as Endpoints;
  return { actions: [{ type: endpoints ? 'update' : 'create', endpoints: changed, reason: 'endpoints changed' }] };
}

function subsetsOf(service: Live<Service>, pods: readonly Live<Pod>[]): { subsets: EndpointSubset[]; isCut: boolean } {
  const family = service.spec?.ipFamilies?.[0] ?? 'IPv4';
  const byPorts = new Map<
    string,
    { ports: EndpointSubset['ports']; ready: EndpointAddress[]; notReady: EndpointAddress[] }
  >();
  const candidates = pods.filter((pod) => isShown(service, pod));
  let left = ADDRESSES_MAX;
  for (const pod of candidates.sort((a, b) => Number(isReady(b)) - Number(isReady(a)))) {
    const ip = pod.status?.podIPs
      ?.map((address) => address.ip)
      .find((text) => text?.includes(':') === (family === 'IPv6'));
    if (!ip || left-- <= 0) continue;
    const hostname = hostnameOf(service, pod);
    const address: EndpointAddress = {
      ip,
      ...(hostname ? { hostname } : {}),
      ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
      targetRef: targetOf(pod),
    };
    // Here a port without a name has none, where a slice says the empty one.
    const ports = portsOf(service, pod).map(({ name, ...port }) => (name ? { name, ...port } : port));
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue;
    const subset = byPorts.get(JSON.stringify(ports)) ?? {
      ports: ports as EndpointSubset['ports'],
      ready: [],
      notReady: [],
    };
    byPorts.set(JSON.stringify(ports), subset);
    (service.spec?.publishNotReadyAddresses || isReady(pod) ? subset.ready : subset.notReady).push(address);
  }
  const byAddress = (a: EndpointAddress, b: EndpointAddress) => (a.ip < b.ip ? -1 : 1);
  const subsets = [...byPorts.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length > 0 ? { addresses: ready.sort(byAddress) } : {}),
      ...(notReady.length > 0 ? { notReadyAddresses: notReady.sort(byAddress) } : {}),
      ...(ports && ports.length > 0 ? { ports } : {}),
    }));
  return { subsets, isCut: candidates.length > ADDRESSES_MAX };
}

/** Pods on their way out are not shown, nor those that will not start again. */
function isShown(service: Live<Service>, pod: Live<Pod>): boolean {
  if (pod.metadata.deletionTimestamp && !service.spec?.publishNotReadyAddresses) return false;
  const { phase } = pod.status ?? {};
  if (pod.spec?.restartPolicy === 'Never') return phase !== 'Failed' && phase !== 'Succeeded';
  return pod.spec?.restartPolicy !== 'OnFailure' || phase !== 'Succeeded';
}
