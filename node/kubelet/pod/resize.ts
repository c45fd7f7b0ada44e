import { isSidecar } from '../../../api/core/pod/resources.ts';
import type { ResourceRequirements } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { compareQuantity, mustParseQuantity } from '../../../libs/machinery/quantity.ts';
import { amountOf, requestsOf, shortageMessage, shortageOf } from '../admission/admission.ts';
import { isStatic } from '../static-pods/static-pods.ts';
import { containersOf, type NodePod, type PodContainer, type SpecContainer } from './objects.ts';

/**
 * CPU and memory of containers may change while they run (API concept "Resize CPU and Memory Resources assigned to
 * Containers"). Three things are told apart: what the spec wants, what the node has allocated, and what is applied to the
 * container. The node allocates what it has room for, and then applies it.
 */
export type Resources = DeepReadonly<Pick<ResourceRequirements, 'requests' | 'limits'>>;

/** By container. */
export type Allocation = ReadonlyMap<string, Resources>;

export type ResizePlan =
  | { readonly type: 'none' }
  | { readonly type: 'allocate'; readonly allocation: Allocation }
  /** `Deferred`: may be possible when others have ended. `Infeasible`: not on this node. */
  | { readonly type: 'refuse'; readonly reason: 'Deferred' | 'Infeasible'; readonly message: string };

const RESIZABLE = ['cpu', 'memory'] as const;

const resizable = ({ kind, sidecar }: SpecContainer): boolean => kind === 'main' || sidecar;

/** Whether both say the same of CPU and memory. */
export function sameResources(a: Resources | undefined, b: Resources | undefined): boolean {
  // Mostly they are the very parts of one spec.
  return (a?.requests === b?.requests && a?.limits === b?.limits) || changedResources(a, b).length === 0;
}

function changedResources(a: Resources | undefined, b: Resources | undefined): string[] {
  const differs = (x: string | undefined, y: string | undefined) =>
    x === undefined || y === undefined ? x !== y : compareQuantity(mustParseQuantity(x), mustParseQuantity(y)) !== 0;
  return RESIZABLE.filter(
    (name) => differs(a?.requests?.[name], b?.requests?.[name]) || differs(a?.limits?.[name], b?.limits?.[name]),
  );
}

/** Whether what has changed needs the container to start anew, by its `resizePolicy`. */
export function needsRestart({ resizePolicy }: PodContainer, from: Resources, to: Resources): boolean {
  return changedResources(from, to).some((name) =>
    (resizePolicy ?? []).some((one) => one.resourceName === name && one.restartPolicy === 'RestartContainer'),
  );
}

/** The pod as it is allocated: with these resources in place of its spec's. */
export function withAllocation(pod: NodePod, allocation: Allocation): NodePod {
  const { spec } = pod;
  if (!spec || !isOtherwise(spec, allocation)) return pod;
  const give = (container: PodContainer): PodContainer => {
    const given = allocation.get(container.name);
    return given ? { ...container, resources: { ...container.resources, ...given } } : container;
  };
  return {
    ...pod,
    spec: {
      ...spec,
      containers: (spec.containers ?? []).map(give),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(give) }),
    },
  } as NodePod;
}

/** Whether a spec asks for something else than what is allocated. Asked for many times in each round of a pod. */
const isOtherwise = ({ containers, initContainers }: NonNullable<NodePod['spec']>, allocation: Allocation): boolean =>
  (containers?.some((container) => asksOtherwise(container, allocation)) ||
    initContainers?.some((container) => isSidecar(container) && asksOtherwise(container, allocation))) ??
  false;

function asksOtherwise({ name, resources }: PodContainer, allocation: Allocation): boolean {
  const given = allocation.get(name);
  return given !== undefined && !sameResources(given, resources);
}

/** What to do about a spec that differs from what was allocated. Pure. */
export function planResize(input: {
  readonly pod: NodePod;
  readonly allocation: Allocation;
  /** The other pods of the node, as they are allocated. */
  readonly others: readonly NodePod[];
  readonly allocatable: Readonly<Record<string, string>>;
}): ResizePlan {
  const { pod, allocation, others, allocatable } = input;
  if (!pod.spec || !isOtherwise(pod.spec, allocation)) return { type: 'none' };
  if (isStatic(pod)) {
    const message = 'In-place resize of containers running on static-pods is not supported';
    return { type: 'refuse', reason: 'Infeasible', message };
  }
  for (const [resource, requested] of requestsOf(pod)) {
    const text = allocatable[resource];
    if (!(RESIZABLE as readonly string[]).includes(resource) || text === undefined) continue;
    const capacity = amountOf(resource, text);
    if (requested <= capacity) continue;
    const message = `Node didn't have enough capacity: ${resource}, requested: ${requested}, capacity: ${capacity}`;
    return { type: 'refuse', reason: 'Infeasible', message };
  }
  const shortage = shortageOf(pod, others, allocatable);
  if (shortage) return { type: 'refuse', reason: 'Deferred', message: shortageMessage(shortage) };
  return { type: 'allocate', allocation: allocationOf(pod) };
}

/** What the spec says of each container that may be resized. */
export function allocationOf(pod: NodePod): Map<string, Resources> {
  return new Map(
    containersOf(pod)
      .filter(resizable)
      .map(({ container }) => [container.name, resourcesOf(container)]),
  );
}

export function resourcesOf({ resources }: PodContainer): Resources {
  const { requests, limits } = resources ?? {};
  return { ...(requests && { requests }), ...(limits && { limits }) };
}
