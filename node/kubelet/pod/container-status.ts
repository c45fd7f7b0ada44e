import type {
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
} from '../../../api/types/core/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import { inOnePiece } from '../../../libs/base/text.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import type { NodePod, SpecContainer } from './objects.ts';
import { backOffMessage } from './plan.ts';
import type { Resources } from './resize.ts';
import { shouldRestart } from './restart.ts';
import { isAlive, newestOf, type ObservedContainer, type ObservedPod, type PodMemory } from './state.ts';

export interface ContainerStatusInput {
  readonly pod: NodePod;
  readonly observed: ObservedPod;
  readonly memory: PodMemory;
  readonly monotonicMs: number;
  /** `containerd`: the scheme of container ids. */
  readonly runtimeName: string;
  /** Nothing starts any more. */
  readonly ending: boolean;
  /** The resources that a running container has; where nothing is said, those of the pod. */
  readonly appliedOf?: (container: ObservedContainer) => Resources | undefined;
}

const LOST = 'The container could not be located when the pod was terminated';
const RESTARTING_ALL = 'RestartingAllContainers';

/** The status of one container, as upstream reports it. */
export function containerStatus(input: ContainerStatusInput, one: SpecContainer): ContainerStatus {
  const status = statusWithoutMounts(input, one);
  const { volumeMounts: mounts = [] } = one.container;
  if (mounts.length === 0) return status;
  const volumeMounts = mounts.map(({ name, mountPath, readOnly, recursiveReadOnly }) => ({
    name,
    mountPath,
    ...(readOnly && {
      readOnly,
      recursiveReadOnly: recursiveReadOnly === 'Enabled' ? ('Enabled' as const) : ('Disabled' as const),
    }),
  }));
  return { ...status, volumeMounts };
}

function statusWithoutMounts(input: ContainerStatusInput, one: SpecContainer): ContainerStatus {
  const { pod, observed, memory } = input;
  const { container } = one;
  const all = observed.containers.filter(({ name }) => name === container.name);
  const newest = newestOf(observed, container.name);
  const before = input.pod.status;
  const told = [
    ...(before?.initContainerStatuses ?? []),
    ...(before?.containerStatuses ?? []),
    ...(before?.ephemeralContainerStatuses ?? []),
  ].find(({ name }) => name === container.name);
  const reset = newest ? undefined : memory.resets.get(container.name)?.container;
  const restartCount = (newest ?? reset ?? told)?.restartCount ?? 0;
  const base = {
    name: container.name,
    image: newest?.image || (container.image ?? ''),
    imageID: newest?.imageId ?? '',
    restartCount,
  };
  const isSource = memory.resets.get(container.name)?.source ?? false;
  const idOf = ({ id }: ObservedContainer) => inOnePiece(input.runtimeName, '://', id);
  const lastTerminated = (from: number): ContainerState => {
    const previous = all.slice(from).find(({ state }) => state === 'exited');
    if (previous) return { terminated: terminated(previous, idOf(previous)) };
    if (reset)
      return { terminated: { ...terminated(reset, idOf(reset)), ...(!isSource && { reason: RESTARTING_ALL }) } };
    // What the runtime has forgotten the API still knows.
    return copyValue((told?.lastState ?? {}) as ContainerState);
  };
  const waiting = (reason: string, message: string | undefined, from: number, ran: boolean): ContainerStatus => ({
    ...base,
    state: { waiting: { reason, ...(message && { message }) } },
    lastState: lastTerminated(from),
    ready: false,
    started: false,
    ...(ran && newest && { containerID: idOf(newest) }),
  });
  const beginning = (): ContainerStatus => {
    const initializing = one.kind !== 'ephemeral' && (pod.spec?.initContainers ?? []).length > 0;
    return waiting(initializing ? 'PodInitializing' : 'ContainerCreating', undefined, 0, false);
  };

  const failure = memory.failures.get(container.name);
  if (!newest || newest.state === 'created') {
    if (failure) return waiting(failure.reason, failure.message, 0, false);
    if (input.ending && told?.state?.terminated) {
      return { ...(copyValue(told) as ContainerStatus), ready: false, started: false };
    }
    if (input.ending && told?.state?.running) {
      // It ran, and the runtime knows nothing of it any more: how it ended cannot be said.
      const { startedAt = null } = told.state.running;
      const { containerID = '' } = told;
      const lost = { exitCode: 137, reason: 'ContainerStatusUnknown', message: LOST, startedAt, finishedAt: null };
      const state = { terminated: { ...lost, ...(containerID !== '' && { containerID }) } };
      return { ...(copyValue(told) as ContainerStatus), state, ready: false, started: false };
    }
    if (reset) return waiting(RESTARTING_ALL, undefined, 0, false);
    return beginning();
  }
  if (isAlive(newest) && memory.starting.has(newest.id) && !input.ending) {
    // Nobody is told that it runs before its post-start hook has ended.
    return told && !told.state?.running ? (copyValue(told) as ContainerStatus) : beginning();
  }
  if (isAlive(newest)) {
    const probes = memory.probes.get(newest.id) ?? {};
    const started = !container.startupProbe || probes.startup === true;
    const ready = started && (!container.readinessProbe || probes.readiness === true);
    return {
      ...base,
      state: { running: { startedAt: formatTime(newest.startedMs || newest.createdMs) } },
      lastState: lastTerminated(1),
      // An init container is ready when it has ended well; a sidecar as any other.
      ready: one.kind === 'init' && !one.sidecar ? false : ready,
      started,
      containerID: idOf(newest),
      ...resourceStatus(one, input.appliedOf?.(newest)),
      ...(newest.user && {
        user: { linux: { ...newest.user, supplementalGroups: [...newest.user.supplementalGroups] } },
      }),
    };
  }
  const goesOn = !input.ending && shouldRestart(pod, one.kind, container, newest.exitCode);
  if (goesOn && failure) return waiting(failure.reason, failure.message, 0, true);
  const backoff = memory.backoffs.get(container.name);
  const endedMs = memory.endedMs.get(newest.id) ?? input.monotonicMs;
  if (goesOn && backoff && endedMs - backoff.updatedMs <= 600_000 && input.monotonicMs < endedMs + backoff.delayMs) {
    return waiting('CrashLoopBackOff', backOffMessage(pod, newest, backoff), 0, true);
  }
  return {
    ...base,
    state: { terminated: terminated(newest, idOf(newest)) },
    lastState: lastTerminated(1),
    ready: one.kind === 'init' && !one.sidecar && newest.exitCode === 0,
    started: false,
    containerID: idOf(newest),
  };
}

function terminated(container: ObservedContainer, containerID: string): ContainerStateTerminated {
  const { exitCode, reason, message } = container;
  return {
    exitCode,
    reason: reason || (exitCode === 0 ? 'Completed' : 'Error'),
    ...(message && { message }),
    startedAt: container.startedMs > 0 ? formatTime(container.startedMs) : null,
    finishedAt: container.finishedMs > 0 ? formatTime(container.finishedMs) : null,
    containerID,
  };
}

/** `allocatedResources` is what the node has promised, `resources` what the container has by now. */
function resourceStatus(
  { container }: SpecContainer,
  applied: Resources | undefined,
): Pick<ContainerStatus, 'resources' | 'allocatedResources'> {
  const promised = container.resources?.requests;
  const { limits, requests } = applied ?? container.resources ?? {};
  if (!limits && !requests && !promised) return { resources: {} };
  return {
    ...(promised && { allocatedResources: { ...promised } }),
    resources: { ...(limits && { limits: { ...limits } }), ...(requests && { requests: { ...requests } }) },
  };
}
