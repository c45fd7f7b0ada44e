import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { nanosToMs } from '../../cri/cri.ts';
import type { ContainerStatus, PodSandboxStatus } from '../../cri/schema.generated.ts';
import { ANNOTATION, LABEL } from '../containers/labels.ts';

/** A container as the runtime has it. Times are wall times in milliseconds, 0 for never. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  /** How often it was started before, by this node. */
  readonly restartCount: number;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly sandboxId: string;
  readonly createdMs: number;
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** As the spec named it. */
  readonly image: string;
  /** With the digest, where the runtime knows it. */
  readonly imageId: string;
  /** Of the container's spec when it was made. */
  readonly hash: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly logPath: string;
  readonly user?: DeepReadonly<{ uid: number; gid: number; supplementalGroups: number[] }>;
}

export interface ObservedSandbox {
  readonly id: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdMs: number;
  readonly ips: readonly string[];
}

/** What the runtime has of one pod; both newest first. */
export interface ObservedPod {
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

export const NOTHING_OBSERVED: ObservedPod = Object.freeze({ sandboxes: [], containers: [] });

export function observeSandbox(status: PodSandboxStatus): ObservedSandbox {
  const { network } = status;
  const ips = [network?.ip ?? '', ...(network?.additionalIps ?? []).map(({ ip }) => ip)];
  return {
    id: status.id,
    attempt: status.metadata?.attempt ?? 0,
    ready: status.state === 'SANDBOX_READY',
    createdMs: nanosToMs(status.createdAt),
    ips: ips.filter((ip) => ip !== ''),
  };
}

const STATES: Readonly<Record<string, ObservedContainer['state']>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
};

/** `message`: what the container left as its last words. */
export function observeContainer(status: ContainerStatus, sandboxId: string, message?: string): ObservedContainer {
  const restartCount = Number(status.annotations[ANNOTATION.restartCount] ?? status.metadata?.attempt ?? 0);
  const user = status.user?.linux;
  return {
    id: status.id,
    name: status.labels[LABEL.containerName] ?? status.metadata?.name ?? '',
    restartCount,
    state: STATES[status.state] ?? 'unknown',
    sandboxId,
    createdMs: nanosToMs(status.createdAt),
    startedMs: nanosToMs(status.startedAt),
    finishedMs: nanosToMs(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: message || status.message,
    image: status.image?.userSpecifiedImage || (status.image?.image ?? ''),
    imageId: status.imageRef || status.imageId,
    hash: status.annotations[ANNOTATION.hash] ?? '',
    annotations: status.annotations,
    logPath: status.logPath,
    ...(user && { user }),
  };
}

/** Newest first. */
export function sortObserved(
  sandboxes: readonly ObservedSandbox[],
  containers: readonly ObservedContainer[],
): ObservedPod {
  return {
    sandboxes: [...sandboxes].sort((a, b) => b.attempt - a.attempt || b.createdMs - a.createdMs),
    containers: [...containers].sort((a, b) => b.restartCount - a.restartCount || b.createdMs - a.createdMs),
  };
}

export const newestOf = (observed: ObservedPod, name: string): ObservedContainer | undefined =>
  observed.containers.find((container) => container.name === name);

export const isAlive = (container: ObservedContainer): boolean =>
  container.state === 'running' || container.state === 'unknown';

// ── What the runtime does not know ─────────────────────────────────────────────────────────────────────────────────

export interface CrashBackoff {
  readonly delayMs: number;
  /** `monotonic` of the restart that made it. */
  readonly updatedMs: number;
}

/** Why a container could not be made or started. */
export interface StartFailure {
  /** `ErrImagePull`, `CreateContainerConfigError`, `RunContainerError` … */
  readonly reason: string;
  readonly message: string;
  /** `monotonic` at which it is tried again. */
  readonly untilMs: number;
  /** `monotonic` from which a failed pull is called `ImagePullBackOff`. */
  readonly backOffFromMs?: number;
}

/** `undefined`: not known yet. A container without the probe has passed it. */
export interface ProbeResults {
  readonly startup?: boolean;
  readonly readiness?: boolean;
  readonly liveness?: boolean;
}

/** An end that this node decided: a deadline, an eviction, a missing feature. */
export interface NodeDecision {
  readonly phase: 'Failed' | 'Succeeded';
  readonly reason?: string;
  readonly message?: string;
  /** It was never taken: nothing of it was begun, and its status says no more than why. */
  readonly rejected?: boolean;
  /** Others are told that it was disturbed, so that its end is not held against it. */
  readonly disrupted?: boolean;
}

/**
 * What a kubelet remembers of a pod beside what the runtime says. All of it may be lost: after a restart pods are taken
 * over as they are, only back-offs start anew.
 */
export interface PodMemory {
  readonly backoffs: Map<string, CrashBackoff>;
  readonly failures: Map<string, StartFailure>;
  /** By container id. */
  readonly probes: Map<string, ProbeResults>;
  /** By container id: `monotonic` at which it was last known to run. */
  readonly aliveMs: Map<string, number>;
  /** By container id: `monotonic` at which it ended. */
  readonly endedMs: Map<string, number>;
  /** Containers whose post-start hook has not ended yet. */
  readonly starting: Set<string>;
  /** By name: what was removed so that all containers begin anew; those that made it so wait as after a crash. */
  readonly resets: Map<string, { readonly container: ObservedContainer; readonly source: boolean }>;
  /** Containers whose crash loop was told as an event, by id. */
  readonly toldBackOff: Set<string>;
  sandboxFailure: { readonly untilMs: number; readonly failures: number } | undefined;
  decision: NodeDecision | undefined;
  /** `monotonic` at which the pod was first seen here. */
  firstSeenMs: number;
}

export function newMemory(firstSeenMs: number): PodMemory {
  return {
    backoffs: new Map(),
    failures: new Map(),
    probes: new Map(),
    aliveMs: new Map(),
    endedMs: new Map(),
    starting: new Set(),
    resets: new Map(),
    toldBackOff: new Set(),
    sandboxFailure: undefined,
    decision: undefined,
    firstSeenMs,
  };
}

/**
 * Takes note of which containers have ended, so that what is planned hangs on a clock that does not jump, and forgets
 * what the runtime has forgotten.
 */
export function remember(memory: PodMemory, observed: ObservedPod, nowMs: number, monotonicMs: number): void {
  for (const container of observed.containers) {
    if (isAlive(container)) memory.aliveMs.set(container.id, monotonicMs);
    if (container.state !== 'exited' || memory.endedMs.has(container.id)) continue;
    const agoMs = Math.max(0, nowMs - (container.finishedMs || container.createdMs));
    // The runtime tells by the wall clock, which may have been set since; it did not end before it was seen to run.
    const aliveMs = memory.aliveMs.get(container.id) ?? Number.NEGATIVE_INFINITY;
    memory.endedMs.set(container.id, Math.max(aliveMs, monotonicMs - agoMs));
  }
  for (const [name, { container }] of memory.resets) {
    if ((newestOf(observed, name)?.restartCount ?? 0) > container.restartCount) memory.resets.delete(name);
  }
  forgetOthers(memory, memory.endedMs, observed);
  forgetOthers(memory, memory.aliveMs, observed);
  forgetOthers(memory, memory.probes, observed);
  forgetOthers(memory, memory.toldBackOff, observed);
  forgetOthers(memory, memory.starting, observed);
}

/** Forgets, of what is kept by container id, containers that the runtime has no more and that were not removed on purpose. */
function forgetOthers(
  { resets }: PodMemory,
  kept: (ReadonlyMap<string, unknown> & { delete(id: string): boolean }) | Set<string>,
  { containers }: ObservedPod,
): void {
  for (const id of kept.keys()) {
    const isKnown = containers.some((one) => one.id === id);
    if (!isKnown && !resets.values().some(({ container }) => container.id === id)) kept.delete(id);
  }
}
