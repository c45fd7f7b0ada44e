import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import { type ControllerEnvironment, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { ipVersion } from '../../../../libs/machinery/ip.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { endpointSlices, nodes, services } from '../../../resources.ts';
import type { LoadBalancerIngress, Node, Service } from '../../../types/core/v1.generated.ts';
import type { EndpointSlice } from '../../../types/discovery/v1.generated.ts';
import { SERVICE_NAME_LABEL } from '../places.ts';

export interface Observed {
  readonly service: Live<Service>;
  readonly nodes: readonly Live<Node>[];
  /** Other Services that have addresses of load balancers. */
  readonly others: readonly Live<Service>[];
  /** Of this Service; looked at only where traffic from outside stays on the node that it reaches. */
  readonly slices: readonly Live<EndpointSlice>[];
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'assign'; readonly ingress: readonly LoadBalancerIngress[] }
  | { readonly type: 'tell'; readonly message: string }
);

/** Nodes that say so are no load balancers (API reference "Well-Known Labels"). */
const EXCLUDED_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
const RETRY_MS = 30_000;

/**
 * Load balancers where nobody sells them: a Service of this type gets the addresses of the ready nodes, on which every
 * node's proxy then answers. Each port of a node is one Service's: who comes later waits until it is free. Services with
 * a `loadBalancerClass` are somebody else's.
 *
 * With `externalTrafficPolicy: Local` a node answers only with pods of its own. A load balancer that is sold asks the
 * nodes' `healthCheckNodePort` and leaves out those without; here clients go to the nodes themselves, so those are left
 * out of the addresses. Where no node has a pod the addresses stay: nothing answers there, as behind any load balancer.
 */
export function plan({ service, nodes: all, others, slices }: Observed): Plan<Action> {
  const { spec, status, metadata } = service;
  const has = status?.loadBalancer?.ingress ?? [];
  if (metadata.deletionTimestamp) return { actions: [] };
  if (spec?.type !== 'LoadBalancer') {
    return { actions: has.length > 0 ? [{ type: 'assign', ingress: [], reason: 'no load balancer any more' }] : [] };
  }
  if (spec.loadBalancerClass) return { actions: [] };
  const holder = others.find((other) => portsOf(other).some((port) => portsOf(service).includes(port)));
  if (holder && has.length === 0) {
    const message = `Error syncing load balancer: its port is in use on the nodes by the Service ${keyOf(holder)}`;
    return { actions: [{ type: 'tell', message, reason: 'the port is taken' }], againAfterMs: RETRY_MS };
  }
  const families = spec.ipFamilies ?? ['IPv4'];
  const ready = all.filter(serves);
  const local = isLocal(service) ? ready.filter(({ metadata: { name } }) => hasEndpoint(slices, name)) : ready;
  const ingress = (local.length > 0 ? local : ready)
    .flatMap(({ status: state }) => state?.addresses ?? [])
    .filter(({ type, address }) => type === 'InternalIP' && families.includes(familyOf(address)))
    .map(({ address }) => ({ ip: address, ipMode: 'VIP' }))
    .sort((a, b) => (a.ip < b.ip ? -1 : 1));
  if (sameValue(ingress, has)) return { actions: [] };
  return { actions: [{ type: 'assign', ingress, reason: 'addresses of the ready nodes' }] };
}

const familyOf = (address: string) => (ipVersion(address) === 6 ? 'IPv6' : 'IPv4');
const portsOf = ({ spec }: Live<Service>): string[] =>
  (spec?.ports ?? []).map(({ port, protocol = 'TCP' }) => `${protocol} ${port}`);

function serves({ metadata, status }: Live<Node>): boolean {
  if (metadata.deletionTimestamp || Object.hasOwn(metadata.labels ?? {}, EXCLUDED_LABEL)) return false;
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

const isLocal = ({ spec }: Live<Service>): boolean => spec?.externalTrafficPolicy === 'Local';

const hasEndpoint = (slices: readonly Live<EndpointSlice>[], name: string): boolean =>
  slices.some(({ endpoints }) =>
    (endpoints ?? []).some(({ nodeName, conditions }) => nodeName === name && conditions?.ready !== false),
  );

const balanced = (env: ControllerEnvironment): readonly Live<Service>[] =>
  env.informers
    .informer(services)
    .list()
    .filter(({ spec }) => spec?.type === 'LoadBalancer');

export const loadBalancerController: Reconciler<Observed, Action> = {
  name: 'service-lb-controller',
  watches: [
    watching(services, (service, env) => [keyOf(service), ...waiting(env)]),
    watching(nodes, (_node, env) => balanced(env).map(keyOf)),
    watching(endpointSlices, localService),
  ],
  observe(env, key) {
    const service = env.informers.informer(services).get(key);
    if (!service) return undefined;
    const others = balanced(env).filter(
      (other) => keyOf(other) !== key && (other.status?.loadBalancer?.ingress?.length ?? 0) > 0,
    );
    const slices = isLocal(service) ? env.informers.informer(endpointSlices).list().filter(of(service)) : [];
    return { service, nodes: env.informers.informer(nodes).list(), others, slices };
  },
  plan,
  async apply({ client, events }, action, { service }) {
    const { name, namespace = '', uid } = service.metadata;
    if (action.type === 'tell') {
      events.event(service, 'Warning', 'SyncLoadBalancerFailed', action.message);
      return [];
    }
    const ingress = action.ingress.length > 0 ? [...action.ingress] : null;
    const patched = await client
      .resource(services)
      .namespace(namespace)
      .subresource('status')
      .patch(name, { metadata: { uid }, status: { loadBalancer: { ingress } } }, { type: 'merge' });
    return [{ ref: services, resourceVersion: patched.metadata.resourceVersion }];
  },
};

/** Those that may get a port that has just come free. */
function waiting(env: ControllerEnvironment): string[] {
  return balanced(env)
    .filter(({ status }) => (status?.loadBalancer?.ingress?.length ?? 0) === 0)
    .map(keyOf);
}

const of =
  ({ metadata: { name, namespace } }: Live<Service>) =>
  ({ metadata }: Live<EndpointSlice>): boolean =>
    metadata.namespace === namespace && metadata.labels?.[SERVICE_NAME_LABEL] === name;

/** The Service of a slice, where it matters to its addresses which nodes have endpoints. */
function localService({ metadata }: Live<EndpointSlice>, env: ControllerEnvironment): string[] {
  const key = `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL]}`;
  const service = env.informers.informer(services).get(key);
  return service?.spec?.type === 'LoadBalancer' && isLocal(service) ? [key] : [];
}
