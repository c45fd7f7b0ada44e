import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { addQuantity, compareQuantity, formatQuantity, mustParseQuantity } from '../../../libs/machinery/quantity.ts';
import { epochMs } from '../../../libs/machinery/time.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../types/core/v1.generated.ts';
import { isPodLevelResource, type ResourceList, sumContainers } from '../pod/resources.ts';

type SeenPod = DeepReadonly<Pod>;
type Kind = 'requests' | 'limits';

const BASIC = ['cpu', 'memory', 'ephemeral-storage'];
/** A quota on these obliges each container to say how much it wants. */
const TO_BE_SAID = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

/**
 * What a pod counts for in quotas, by the names that quotas use: `cpu` and `requests.cpu` are one thing, `hugepages-…`
 * and extended resources count by their requests. A pod that has ended, or should have, is an object and nothing more.
 */
export function podUsage(pod: SeenPod, nowMs: number): Record<string, string> {
  const usage: Record<string, string> = { 'count/pods': '1' };
  if (!takesPlace(pod, nowMs)) return usage;
  usage.pods = '1';
  Object.assign(usage, computeUsage(amounts(pod, 'requests'), amounts(pod, 'limits')));
  return usage;
}

/** By resource, sorted: the containers that must say how much of it they want, and do not. */
export function unsaidByContainers(pod: SeenPod, required: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const wanted = TO_BE_SAID.filter((name) => required.includes(name));
  const ofPod = computeUsage(pod.spec?.resources?.requests ?? {}, pod.spec?.resources?.limits ?? {});
  const unsaid = new Map<string, string[]>();
  for (const { name, resources } of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    const said = computeUsage(resources?.requests ?? {}, resources?.limits ?? {});
    for (const resource of wanted) {
      if (Object.hasOwn(said, resource) || Object.hasOwn(ofPod, resource)) continue;
      unsaid.set(resource, [...(unsaid.get(resource) ?? []), name]);
    }
  }
  return new Map([...unsaid].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether a quota's resource is one that pods use. */
export function isPodResource(name: string): boolean {
  if (name === 'pods' || name === 'count/pods' || name.startsWith('hugepages-')) return true;
  const plain = /^(?:requests|limits)\.(.+)$/.exec(name)?.[1];
  if (plain === undefined) return BASIC.includes(name);
  if (BASIC.includes(plain)) return true;
  return name.startsWith('requests.') && (plain.startsWith('hugepages-') || plain.includes('/'));
}

function takesPlace({ metadata, status }: SeenPod, nowMs: number): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata ?? {};
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return true;
  // A node that does not answer keeps a deleted pod for ever; that is not the namespace's to pay.
  return nowMs <= (epochMs(deletionTimestamp) ?? 0) + Number(deletionGracePeriodSeconds) * 1000;
}

function computeUsage(requests: ResourceList, limits: ResourceList): Record<string, string> {
  const usage: Record<string, string> = {};
  for (const [name, amount] of Object.entries(requests)) {
    if (BASIC.includes(name) || name.startsWith('hugepages-')) usage[name] = amount;
    if (BASIC.includes(name) || name.startsWith('hugepages-') || name.includes('/')) usage[`requests.${name}`] = amount;
  }
  for (const name of BASIC) {
    const limit = limits[name];
    if (limit !== undefined) usage[`limits.${name}`] = limit;
  }
  return usage;
}

function amounts(pod: SeenPod, kind: Kind): Record<string, string> {
  const { spec } = pod;
  if (!spec) return {};
  const total = sumContainers(asGiven(pod, spec, kind), kind);
  for (const [name, amount] of Object.entries(spec.resources?.[kind] ?? {})) {
    if (isPodLevelResource(name)) total[name] = amount;
  }
  for (const [name, amount] of Object.entries(spec.overhead ?? {})) {
    const had = total[name];
    // Where nothing is limited, the overhead limits nothing either.
    if (kind === 'limits' && had === undefined) continue;
    total[name] = had === undefined ? amount : sum(had, amount);
  }
  return total;
}

const sum = (a: string, b: string): string => formatQuantity(addQuantity(mustParseQuantity(a), mustParseQuantity(b)));

/** While a resize is under way, a container counts for the larger of what it wants and what it still has. */
function asGiven(pod: SeenPod, spec: DeepReadonly<PodSpec>, kind: Kind): DeepReadonly<PodSpec> {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const larger = (containers: readonly DeepReadonly<Container>[], statuses: readonly DeepReadonly<ContainerStatus>[]) =>
    containers.map((container) => {
      const status = statuses.find(({ name }) => name === container.name);
      if (!status) return container;
      const list: Record<string, string> = { ...container.resources?.[kind] };
      raise(list, status.resources?.[kind]);
      if (kind === 'requests') raise(list, status.allocatedResources);
      return { ...container, resources: { ...container.resources, [kind]: list } };
    });
  return {
    ...spec,
    containers: larger(spec.containers ?? [], containerStatuses),
    initContainers: larger(spec.initContainers ?? [], initContainerStatuses),
  };
}

function raise(to: Record<string, string>, by: ResourceList | undefined): void {
  for (const [name, amount] of Object.entries(by ?? {})) {
    const had = to[name];
    if (had === undefined || compareQuantity(mustParseQuantity(amount), mustParseQuantity(had)) > 0) to[name] = amount;
  }
}
