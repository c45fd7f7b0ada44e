import type { ApiObject, Live } from '../../../libs/kind/object.ts';
import { mustParseQuantity, toCeil } from '../../../libs/machinery/quantity.ts';
import { ANNOTATION } from '../containers/labels.ts';
import { containerResources } from '../containers/resources.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { describePod, findContainer, type NodePod, uidOf } from './objects.ts';
import {
  type Allocation,
  allocationOf,
  needsRestart,
  planResize,
  type Resources,
  sameResources,
  withAllocation,
} from './resize.ts';
import { isAlive, type ObservedContainer, type ObservedPod } from './state.ts';
import type { PassingCondition, Truth } from './status.ts';

/** How often a resize that had no room is tried again. */
export const DEFERRED_MS = 10_000;

export type ResizeStep =
  | { readonly type: 'update'; readonly container: ObservedContainer; readonly to: Resources }
  | { readonly type: 'restart'; readonly container: ObservedContainer };

/** The resources of one pod's containers, as they are wanted, allocated and applied. */
export class PodResizer {
  readonly #env: KubeletEnvironment;
  /** By container id. */
  readonly #applied = new Map<string, Resources>();
  #allocation: Allocation | undefined;
  #refusal: { readonly reason: string; readonly message: string } | undefined;
  #failure: string | undefined;
  #steps: readonly ResizeStep[] = [];
  /** Of the pod whose resources were allocated last; undefined: not since the kubelet has started. */
  #generation: number | undefined;

  constructor(env: KubeletEnvironment) {
    this.#env = env;
  }

  /** Containers that ran with other resources than are allocated when they were looked at. */
  get steps(): readonly ResizeStep[] {
    return this.#steps;
  }

  get #inProgress(): boolean {
    return this.#steps.length > 0;
  }

  /** True while a resize waits for room. */
  get deferred(): boolean {
    return this.#refusal?.reason === 'Deferred';
  }

  /** The pod as it is allocated. */
  allocated(pod: NodePod): NodePod {
    return this.#allocation ? withAllocation(pod, this.#allocation) : pod;
  }

  /** What is applied to a container that runs. */
  applied(container: ObservedContainer): Resources | undefined {
    return this.#applied.get(container.id) ?? madeWith(container);
  }

  /** Allocates what the spec wants, where there is room. Rejects when it cannot be written down. */
  async look(pod: NodePod, observed: ObservedPod, others: () => readonly NodePod[]): Promise<void> {
    const { allocations, allocatable } = this.#env;
    this.#allocation ??= allocations.of(uidOf(pod)) ?? this.#found(pod, observed);
    for (const id of this.#applied.keys()) {
      if (!observed.containers.some((one) => one.id === id)) this.#applied.delete(id);
    }
    if (sameSpec(pod, this.#allocation)) this.#refusal = undefined;
    else {
      const plan = planResize({ pod, allocation: this.#allocation, others: others(), allocatable: allocatable() });
      if (plan.type === 'refuse') {
        const known = this.#refusal;
        this.#refusal = { reason: plan.reason, message: plan.message };
        if (known?.reason !== plan.reason || known.message !== plan.message) {
          this.#tell(pod, 'Warning', `Resize${plan.reason}`, resizeMessage(pod, plan.reason, plan.message));
        }
      } else if (plan.type === 'allocate') {
        await allocations.set(uidOf(pod), plan.allocation);
        this.#allocation = plan.allocation;
        this.#refusal = undefined;
        this.#failure = undefined;
        this.#generation = Number(pod.metadata?.generation);
        this.#tell(pod, 'Normal', 'ResizeStarted', this.#message(pod, 'started'));
      }
    }
    const was = this.#inProgress;
    this.#steps = this.#stepsOf(pod, observed);
    if (was && !this.#inProgress) this.#tell(pod, 'Normal', 'ResizeCompleted', this.#message(pod, 'completed'));
  }

  #stepsOf(pod: NodePod, observed: ObservedPod): ResizeStep[] {
    const out: ResizeStep[] = [];
    for (const container of observed.containers) {
      const to = this.#allocation?.get(container.name);
      const spec = findContainer(pod, container.name)?.container;
      if (!to || !spec || !isAlive(container)) continue;
      const from = this.applied(container);
      if (!from || sameResources(from, to)) continue;
      out.push(needsRestart(spec, from, to) ? { type: 'restart', container } : { type: 'update', container, to });
    }
    return out;
  }

  /** Applies to one container what is allocated. What fails is told by a condition, and tried again. */
  async update(pod: NodePod, { container, to }: Extract<ResizeStep, { type: 'update' }>): Promise<void> {
    const { cri, cgroups, nodeMemoryBytes, log } = this.#env;
    const given = this.allocated(pod);
    const spec = findContainer(given, container.name)?.container;
    if (!spec) return;
    try {
      await this.#checkUsage(container, to);
      // What holds the container grows before it, and shrinks after it.
      await cgroups.raise(given);
      await cri.updateContainerResources({
        containerId: container.id,
        linux: containerResources(given, spec, nodeMemoryBytes),
        annotations: {},
      });
      await cgroups.create(given);
      this.#applied.set(container.id, to);
      this.#failure = undefined;
    } catch (error) {
      const message = (error as Error).message;
      if (message !== this.#failure) this.#tell(pod, 'Warning', 'ResizeError', this.#message(pod, 'error', message));
      this.#failure = message;
      log.warn('a container could not be resized', { pod: describePod(pod), container: container.name, error });
    }
  }

  /** What the pod's status says of it. */
  conditions(): Partial<Record<PassingCondition, Truth>> {
    return {
      ...(this.#refusal && { PodResizePending: { status: true, ...this.#refusal } }),
      ...(this.#inProgress && {
        PodResizeInProgress: { status: true, ...(this.#failure && { reason: 'Error', message: this.#failure }) },
      }),
    };
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** After a restart of the kubelet: what the containers were made with; of those that are not there, what is wanted. */
  #found(pod: NodePod, observed: ObservedPod): Map<string, Resources> {
    const allocation = allocationOf(pod);
    for (const name of allocation.keys()) {
      const container = observed.containers.find((one) => one.name === name);
      const made = container && madeWith(container);
      if (made) allocation.set(name, made);
    }
    return allocation;
  }

  async #checkUsage(container: ObservedContainer, { limits }: Resources): Promise<void> {
    if (limits?.['memory'] === undefined) return;
    const limit = toCeil(mustParseQuantity(limits['memory']));
    const { stats } = await this.#env.cri.containerStats({ containerId: container.id });
    const used = Number(stats?.memory?.workingSetBytes?.value ?? 0);
    // The kernel would end the container rather than refuse.
    if (used > limit)
      throw new Error(`attempting to set container memory limit (${limit}) below current usage (${used})`);
  }

  #message(pod: NodePod, what: string, error?: string): string {
    return resizeMessage(this.allocated(pod), what, error, this.#generation);
  }

  #tell(pod: NodePod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#env.events.event(pod as Live<ApiObject>, type, reason, message);
  }
}

/** What an event of a resize says: which resources it is of, in JSON as upstream writes it. */
function resizeMessage(
  pod: NodePod,
  what: string,
  error?: string,
  generation = Number(pod.metadata?.generation),
): string {
  const { initContainers = [], containers = [] } = pod.spec ?? {};
  const shown = (of: typeof containers) =>
    of.map(({ name, resources: { limits, requests, claims } = {} }) => ({
      name,
      resources: {
        ...(limits && { limits: sorted(limits) }),
        ...(requests && { requests: sorted(requests) }),
        ...(claims && { claims }),
      },
    }));
  const summary = {
    ...(initContainers.length > 0 && { initContainers: shown(initContainers) }),
    containers: shown(containers),
    generation,
    ...(error && { error }),
  };
  return `Pod resize ${what}: ${JSON.stringify(summary)}`;
}

const sorted = (quantities: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(quantities).sort(([a], [b]) => (a < b ? -1 : 1)));

const sameSpec = (pod: NodePod, allocation: Allocation): boolean => withAllocation(pod, allocation) === pod;

function madeWith({ annotations }: ObservedContainer): Resources | undefined {
  const text = annotations[ANNOTATION.resources];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Resources;
  } catch {
    return undefined;
  }
}
