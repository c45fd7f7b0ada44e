import { type ApiObject, apiVersionOf, keyOf, type Live, type ResourceRef } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  reading,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { selectorOfLabels } from '../../../../libs/machinery/labels.ts';
import { controllerReference, valueIn } from '../../../../libs/machinery/meta.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { countsOtherwise, isFinished } from '../../../core/pod/controller/pod-state.ts';
import { endpointSlices, endpoints, nodes, pods, services } from '../../../resources.ts';
import type { Endpoints, Pod, Service } from '../../../types/core/v1.generated.ts';
import type { EndpointSlice } from '../../../types/discovery/v1.generated.ts';
import { endpointSliceCounting } from './counting.ts';
import { type Action, isManagedBy, MANAGED_BY, type Observed, plan, SERVICE_NAME, TRIGGER_TIME } from './plan.ts';
import { groupsOf, isHeadless } from './service-endpoints.ts';
import { TriggerTimes } from './trigger-times.ts';

const MANAGER = 'endpointslice-controller.k8s.io';
const MIRRORING_MANAGER = 'endpointslicemirroring-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';

/** The Services that show a pod, as far as it has an address. */
export function keysOfServices(pod: Live<Pod>, { informers }: ControllerEnvironment): readonly string[] {
  if (!pod.status?.podIPs?.length) return [];
  return informers
    .informer(services)
    .list(pod.metadata.namespace)
    .filter((service) => selects(service, pod))
    .map(keyOf);
}

/** Whether a change of a pod may show in endpoints. */
export const mattersToServices = (pod: Live<Pod>, previous: Live<Pod>): boolean =>
  countsOtherwise(pod, previous) ||
  pod.spec?.nodeName !== previous.spec?.nodeName ||
  !sameValue(pod.status?.podIPs, previous.status?.podIPs) ||
  !sameValue(pod.metadata.labels, previous.metadata.labels);

const selects = ({ spec }: Live<Service>, pod: Live<Pod>): boolean =>
  Object.keys(spec?.selector ?? {}).length > 0 &&
  selectorOfLabels(spec?.selector as Record<string, string>).matches(
    pod.metadata.labels as Record<string, string> | undefined,
  );

/** The pods that a Service chooses. */
export const podsBehind = ({ informers }: ControllerEnvironment, service: Live<Service>): readonly Live<Pod>[] =>
  informers
    .informer(pods)
    .list(service.metadata.namespace)
    .filter((pod) => selects(service, pod));

const serviceKey = (slice: Live<EndpointSlice>): readonly string[] => {
  const name = valueIn(slice.metadata.labels as Record<string, string> | undefined, SERVICE_NAME);
  return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
};

function slicesOf({ informers }: ControllerEnvironment, key: string, manager: string): readonly Live<EndpointSlice>[] {
  const informer = informers.informer(endpointSlices);
  informer.index('service', serviceKey);
  return informer.by('service', key).filter((slice) => isManagedBy(slice, manager));
}

/** Keeps the EndpointSlices of Services that choose pods. */
export function endpointSliceController(): Reconciler<Observed, Action> {
  const triggerTimes = new TriggerTimes();
  return {
    name: 'endpointslice',
    watches: [
      watching(services, ownKey),
      watching(pods, (pod, env) => (isFinished(pod) ? [] : keysOfServices(pod, env)), 0, mattersToServices),
      watching(endpointSlices, (slice) => (isManagedBy(slice, MANAGER) ? serviceKey(slice) : [])),
      // Zones come from nodes; that they change is rare, and the next change of a pod brings it in.
      reading(nodes),
    ],
    observe(env, key) {
      const service = env.informers.informer(services).get(key);
      if (!service || service.metadata.deletionTimestamp) {
        triggerTimes.forget(key);
        return undefined;
      }
      const slices = slicesOf(env, key, MANAGER);
      const isServed = Object.keys(service.spec?.selector ?? {}).length > 0 && service.spec?.type !== 'ExternalName';
      const chosen = isServed ? podsBehind(env, service) : [];
      return {
        owner: service as Live<ApiObject>,
        labels: {
          ...(service.metadata.labels as Record<string, string> | undefined),
          [MANAGED_BY]: MANAGER,
          [SERVICE_NAME]: service.metadata.name,
          ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
        },
        annotations: {},
        groups: isServed ? groupsOf(service, chosen, (name) => env.informers.informer(nodes).get(name)) : [],
        slices,
        changesMs: triggerTimes.newOf(key, service, chosen),
      };
    },
    plan,
    counting: endpointSliceCounting,
    apply: (env, action, { owner }) => write(env, action, owner, services as ResourceRef),
  };
}

/** Shows the Endpoints that somebody wrote by hand, for a Service that chooses no pods, as EndpointSlices too. */
export const endpointSliceMirroringController: Reconciler<Observed, Action> = {
  name: 'endpointslicemirroring',
  watches: [
    watching(endpoints, ownKey),
    watching(services, ownKey),
    watching(endpointSlices, (slice) => (isManagedBy(slice, MIRRORING_MANAGER) ? serviceKey(slice) : [])),
  ],
  observe(env, key) {
    const object = env.informers.informer(endpoints).get(key);
    const service = env.informers.informer(services).get(key);
    const slices = slicesOf(env, key, MIRRORING_MANAGER);
    const isMirrored = object && service && !hasSelector(service) && !isSkipped(object);
    if (!isMirrored && slices.length === 0) return undefined;
    const { labels: { [SKIP_MIRROR]: _, ...labels } = {}, annotations = {} } = (object?.metadata ?? {}) as {
      labels?: Record<string, string>;
      annotations?: Record<string, string>;
    };
    const handedDown = Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED && name !== TRIGGER_TIME);
    const name = key.slice(key.indexOf('/') + 1);
    return {
      owner: (object ?? slices[0]) as Live<ApiObject>,
      labels: { ...labels, [MANAGED_BY]: MIRRORING_MANAGER, [SERVICE_NAME]: name },
      annotations: Object.fromEntries(handedDown),
      groups: isMirrored ? mirrored(object) : [],
      slices,
      changesMs: [],
    };
  },
  plan,
  apply: (env, action, { owner }) => write(env, action, owner, endpoints as ResourceRef),
};

const hasSelector = ({ spec }: Live<Service>): boolean => Object.keys(spec?.selector ?? {}).length > 0;

const isSkipped = ({ metadata }: Live<Endpoints>): boolean =>
  metadata.labels?.[SKIP_MIRROR] === 'true' || metadata.annotations?.[LEADER] !== undefined;

function mirrored({ subsets = [] }: Live<Endpoints>): Observed['groups'] {
  const groups = new Map<string, { addressType: string; ports: object[]; endpoints: object[] }>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const all = [
      ...addresses.map((a) => ({ ...a, ready: true })),
      ...notReadyAddresses.map((a) => ({ ...a, ready: false })),
    ];
    for (const { ip, hostname, nodeName, targetRef, ready } of all) {
      const addressType = ip.includes(':') ? 'IPv6' : 'IPv4';
      const shown = ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
        name,
        port,
        protocol,
        ...(appProtocol ? { appProtocol } : {}),
      }));
      const id = JSON.stringify([addressType, shown]);
      const group = groups.get(id) ?? { addressType, ports: shown, endpoints: [] };
      groups.set(id, group);
      group.endpoints.push({
        addresses: [ip],
        conditions: { ready },
        ...(hostname ? { hostname } : {}),
        ...(nodeName ? { nodeName } : {}),
        ...(targetRef ? { targetRef } : {}),
      });
    }
  }
  return [...groups.values()] as Observed['groups'];
}

async function write(
  env: ControllerEnvironment,
  action: Action,
  owner: Live<ApiObject>,
  ownerRef: ResourceRef,
): Promise<readonly Written[]> {
  const inNamespace = env.client.resource(endpointSlices).namespace(owner.metadata.namespace ?? '');
  if (action.type === 'delete') {
    await inNamespace.delete(action.name).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    return [];
  }
  const type = { apiVersion: apiVersionOf(ownerRef), kind: ownerRef.kind };
  const metadata = { ...action.slice.metadata, ownerReferences: [controllerReference(owner as ApiObject, type)] };
  const written = await (action.type === 'create'
    ? inNamespace.create({ ...action.slice, metadata })
    : inNamespace.update(action.slice));
  return [{ ref: endpointSlices, resourceVersion: written.metadata.resourceVersion, expected: true }];
}
