/**
 * Sums over a pod's containers: what a pod asks for as a whole (API concept "Resource Management for Pods and
 * Containers"; for init and sidecar containers "Resource sharing within containers").
 */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  mustParseQuantity,
  type Quantity,
  roundUpQuantity,
  signOfQuantity,
} from '../../../libs/machinery/quantity.ts';
import type { Container, PodSpec } from '../../types/core/v1.generated.ts';

export type ResourceList = Readonly<Record<string, string>>;

const HUGE_PAGES = 'hugepages-';

/** Resources that a pod may have as a whole, beside its containers. */
export function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith(HUGE_PAGES);
}

/** An init container that keeps running beside the others. */
export function isSidecar(container: DeepReadonly<Container>): boolean {
  return container.restartPolicy === 'Always';
}

/**
 * What all containers together need at the most demanding moment: the sum of containers and sidecars, or an init
 * container with the sidecars started before it. Without pod-level resources and overhead.
 */
export function sumContainers(spec: DeepReadonly<PodSpec>, kind: 'requests' | 'limits'): Record<string, string> {
  const total = new Map<string, Quantity>();
  for (const container of spec.containers ?? []) add(total, container.resources?.[kind]);
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const container of spec.initContainers ?? []) {
    const own = container.resources?.[kind];
    if (isSidecar(container)) {
      add(total, own);
      add(sidecars, own);
      raise(peak, sidecars);
    } else {
      const here = new Map(sidecars);
      add(here, own);
      raise(peak, here);
    }
  }
  raise(total, peak);
  return Object.fromEntries([...total].map(([name, quantity]) => [name, formatQuantity(quantity)]));
}

function add(to: Map<string, Quantity>, list: ResourceList | undefined): void {
  for (const [name, text] of Object.entries(list ?? {})) {
    const quantity = mustParseQuantity(text);
    const had = to.get(name);
    to.set(name, had ? addQuantity(had, quantity) : quantity);
  }
}

function raise(to: Map<string, Quantity>, by: ReadonlyMap<string, Quantity>): void {
  for (const [name, quantity] of by) {
    const had = to.get(name);
    if (!had || compareQuantity(quantity, had) > 0) to.set(name, quantity);
  }
}

/**
 * Quantities of resources are whole thousandths: what is finer is rounded up. Changes the list, but not one that is right
 * already: that may be a stored object's, which is frozen.
 */
export function roundResourceList(list: Record<string, string> | undefined): void {
  for (const name in list) {
    const text = list[name] as string;
    const rounded = roundUpQuantity(text);
    if (rounded !== text) list[name] = rounded;
  }
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/**
 * The quality-of-service class: Guaranteed where CPU and memory are limited for each container (or the pod as a whole)
 * and requested in full, BestEffort where neither is mentioned, Burstable otherwise. Zero counts as not mentioned.
 */
export function qosClassOf(spec: DeepReadonly<PodSpec>): QosClass {
  const parts =
    spec.resources && Object.keys({ ...spec.resources.requests, ...spec.resources.limits }).length > 0
      ? [spec.resources]
      : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ resources }) => resources ?? {});
  const requests = new Map<string, Quantity>();
  const limits = new Map<string, Quantity>();
  let allLimited = true;
  for (const part of parts) {
    addCounted(requests, part.requests);
    if (addCounted(limits, part.limits) < 2) allLimited = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const inFull = [...requests].every(([name, quantity]) => {
    const limit = limits.get(name);
    return limit !== undefined && compareQuantity(limit, quantity) === 0;
  });
  return allLimited && inFull && requests.size === limits.size ? 'Guaranteed' : 'Burstable';
}

/** Adds what counts: CPU and memory, if mentioned and not zero. Gives how many of the two. */
function addCounted(to: Map<string, Quantity>, list: ResourceList | undefined): number {
  let count = 0;
  for (const name of ['cpu', 'memory']) {
    const text = list?.[name];
    if (text === undefined) continue;
    const quantity = mustParseQuantity(text);
    if (signOfQuantity(quantity) <= 0) continue;
    const had = to.get(name);
    to.set(name, had ? addQuantity(had, quantity) : quantity);
    count++;
  }
  return count;
}
