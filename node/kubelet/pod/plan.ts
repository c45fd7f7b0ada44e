import { type ContainerKind, containersOf, describePod, type NodePod, type SpecContainer } from './objects.ts';
import type { ResizeStep } from './resizer.ts';
import { nextBackoff, restartsAll, shouldRestart } from './restart.ts';
import {
  type CrashBackoff,
  isAlive,
  type NodeDecision,
  newestOf,
  type ObservedContainer,
  type ObservedPod,
  type ObservedSandbox,
  type PodMemory,
  type ProbeResults,
} from './state.ts';

/**
 * What shall happen to a pod next. Pure: the same for real nodes and simulated ones, and a table of cases tests it.
 *
 * Actions are done in their order, those of `killContainer` that stand together at the same time. After each round the
 * pod is observed and planned anew, so a plan goes only as far as can be seen.
 */
export type PodAction =
  | { readonly type: 'createSandbox'; readonly attempt: number }
  /** Ends what is left of a sandbox that is not usable any more. */
  | { readonly type: 'stopSandbox'; readonly sandbox: ObservedSandbox }
  | {
      readonly type: 'killContainer';
      readonly container: ObservedContainer;
      readonly message: string;
      readonly why: 'liveness' | 'startup' | 'changed' | 'unknown' | 'resize' | 'restartAll';
    }
  | { readonly type: 'resizeContainer'; readonly step: Extract<ResizeStep, { type: 'update' }> }
  | {
      readonly type: 'startContainer';
      readonly kind: ContainerKind;
      readonly name: string;
      readonly restartCount: number;
      /** What to remember when it has been done, for a restart. */
      readonly backoff?: CrashBackoff;
    }
  /** The container waits for its next start: to be told once. */
  | { readonly type: 'tellBackOff'; readonly container: ObservedContainer; readonly message: string }
  | { readonly type: 'tellImageBackOff'; readonly name: string }
  | {
      readonly type: 'removeContainer';
      readonly container: ObservedContainer;
      /** Removed so that all containers begin anew; `source`: its end made it so. */
      readonly reset?: { readonly source: boolean };
    };

export interface PodPlan {
  readonly actions: readonly PodAction[];
  /** `monotonic` at which to look again, though nothing has changed. */
  readonly againAtMs?: number;
  /** The pod has come to its end: what still runs is to be ended, and nothing starts any more. */
  readonly finished?: NodeDecision;
}

export interface PlanInput {
  readonly pod: NodePod;
  readonly observed: ObservedPod;
  readonly memory: PodMemory;
  /** Wall time. */
  readonly nowMs: number;
  /** When this node took the pod, where its status does not say so yet; wall time. */
  readonly startMs?: number;
  readonly monotonicMs: number;
  /** Containers that run with other resources than the pod's, and what is to be done about it. */
  readonly resizes?: readonly ResizeStep[];
  /** The hash that a container of the spec has now. */
  readonly hashOf: (container: SpecContainer['container']) => string;
}

const PASSED: ProbeResults = Object.freeze({ startup: true, readiness: true, liveness: true });
/** Containers that have ended and are kept for their logs, by name. */
const DEAD_KEPT = 1;

export function planPod(input: PlanInput): PodPlan {
  const { pod, observed, memory } = input;
  const decided = memory.decision ?? finishedInApi(pod) ?? deadline(input);
  if (decided) return { actions: [], finished: decided };

  const round = new Round(input);
  const sandbox = observed.sandboxes[0];
  if (!sandbox?.ready) return planSandbox(input, round, sandbox);

  const all = containersOf(pod);
  const inSandbox = observed.containers.filter(({ sandboxId }) => sandboxId === sandbox.id);
  const current: ObservedPod = { ...observed, containers: inSandbox };
  const sources = restartSources(pod, current);
  if (sources.length > 0) return { actions: planRestartOfAll(pod, observed, sources) };
  const initialized = planInit(round, pod, current, observed);
  if (initialized === 'failed') return { actions: [], finished: { phase: 'Failed' } };
  if (initialized === 'done') {
    const mains = all.filter(({ kind }) => kind === 'main');
    let left = 0;
    for (const one of mains) if (planContainer(round, one, newestOf(current, one.container.name))) left++;
    if (left === 0 && mains.length > 0) {
      const failed = mains.some(({ container }) => newestOf(current, container.name)?.exitCode !== 0);
      return { actions: round.actions, finished: { phase: failed ? 'Failed' : 'Succeeded' } };
    }
  }
  for (const one of all) {
    if (one.kind === 'ephemeral' && !newestOf(observed, one.container.name)) round.start(one, undefined);
  }
  round.removeDead();
  return round.plan();
}

/** The containers of the pod whose end is to be followed by the restart of all (KEP-5532). */
export function restartSources(pod: NodePod, observed: ObservedPod): ObservedContainer[] {
  return containersOf(pod).flatMap(({ kind, container }) => {
    const newest = kind === 'ephemeral' ? undefined : newestOf(observed, container.name);
    return newest?.state === 'exited' && restartsAll(container, newest.exitCode) ? [newest] : [];
  });
}

/**
 * Ends and removes every container but the ephemeral ones; the sandbox and the volumes stay. Those whose end made it so
 * go last: as long as one of them is there, a kubelet that is started in between knows what is under way.
 */
function planRestartOfAll(pod: NodePod, observed: ObservedPod, sources: readonly ObservedContainer[]): PodAction[] {
  const names = new Set(
    containersOf(pod).flatMap(({ kind, container }) => (kind === 'ephemeral' ? [] : container.name)),
  );
  const all = observed.containers.filter(({ name }) => names.has(name));
  const alive = all.filter(isAlive);
  if (alive.length > 0) {
    const message = 'Stopping container because all containers of the pod restart';
    return alive.map((container) => ({ type: 'killContainer', container, message, why: 'restartAll' }));
  }
  const isSource = ({ name }: ObservedContainer) => sources.some((one) => one.name === name);
  const targets = all.filter((one) => !isSource(one));
  const source = targets.length === 0;
  return (source ? all : targets).map((container) => ({ type: 'removeContainer', container, reset: { source } }));
}

/** The containers that are still to be ended, and the order: sidecars after all others, the last one first. */
export function terminationOrder(pod: NodePod, observed: ObservedPod): ObservedContainer[][] {
  const alive = observed.containers.filter(isAlive);
  const sidecars = containersOf(pod)
    .filter(({ sidecar }) => sidecar)
    .map(({ container }) => container.name)
    .reverse();
  const first = alive.filter(({ name }) => !sidecars.includes(name));
  const then = sidecars.map((sidecar) => alive.filter(({ name }) => name === sidecar));
  return [first, ...then].filter((group) => group.length > 0);
}

function finishedInApi({ status }: NodePod): NodeDecision | undefined {
  if (status?.phase !== 'Failed' && status?.phase !== 'Succeeded') return undefined;
  const { phase, reason, message } = status;
  return { phase, ...(reason && { reason }), ...(message && { message }) };
}

function deadline(input: PlanInput): NodeDecision | undefined {
  const { nowMs } = input;
  const atMs = deadlineMs(input);
  if (atMs === undefined || nowMs < atMs) return undefined;
  return {
    phase: 'Failed',
    reason: 'DeadlineExceeded',
    message: 'Pod was active on the node longer than the specified deadline',
  };
}

function deadlineMs({ pod: { spec, status }, startMs }: PlanInput): number | undefined {
  const fromMs = status?.startTime ? Date.parse(status.startTime) : startMs;
  if (spec?.activeDeadlineSeconds === undefined || fromMs === undefined) return undefined;
  return fromMs + Number(spec.activeDeadlineSeconds) * 1000;
}

/** There is no sandbox that containers could run in. */
function planSandbox(input: PlanInput, round: Round, sandbox: ObservedSandbox | undefined): PodPlan {
  const { pod, observed, memory, monotonicMs } = input;
  const mains = containersOf(pod).filter(({ kind }) => kind === 'main');
  const ends = mains.map(({ container }) => newestOf(observed, container.name));
  // Whether anything shall run at all is known from what ran before.
  const restarts = mains.filter((one, i) => {
    const end = ends[i];
    return end?.state !== 'exited' || shouldRestart(pod, one.kind, one.container, end.exitCode);
  });
  if (restarts.length === 0 && mains.length > 0) {
    return { actions: [], finished: { phase: ends.some((end) => end?.exitCode !== 0) ? 'Failed' : 'Succeeded' } };
  }
  if (sandbox && pod.spec?.restartPolicy === 'Never' && observed.containers.length > 0) {
    // What ran in it has died with it, and nothing may run twice.
    return { actions: [], finished: { phase: 'Failed' } };
  }
  const actions: PodAction[] = [];
  if (sandbox && observed.containers.some((one) => one.sandboxId === sandbox.id && isAlive(one))) {
    actions.push({ type: 'stopSandbox', sandbox });
  }
  const untilMs = memory.sandboxFailure?.untilMs ?? 0;
  if (untilMs > monotonicMs) return { actions, againAtMs: round.again(untilMs) };
  actions.push({ type: 'createSandbox', attempt: sandbox ? sandbox.attempt + 1 : 0 });
  return { actions };
}

/** Goes through the init containers as far as it may; says whether the ordinary ones may run. */
function planInit(round: Round, pod: NodePod, current: ObservedPod, all: ObservedPod): 'done' | 'waiting' | 'failed' {
  const inits = containersOf(pod).filter(({ kind }) => kind === 'init');
  const mains = (pod.spec?.containers ?? []).map(({ name }) => name);
  // Once an ordinary container was made, the others' turn is over, even if nothing is left of them in the runtime.
  const passed = current.containers.some(({ name }) => mains.includes(name));
  for (const one of inits) {
    const { container, sidecar } = one;
    const newest = newestOf(current, container.name);
    if (sidecar) {
      planContainer(round, one, newest);
      if (!passed && !(newest?.state === 'running' && round.started(one, newest))) return 'waiting';
      continue;
    }
    if (passed) continue;
    if (newest?.state === 'exited' && newest.exitCode === 0) continue;
    if (newest?.state === 'exited' && !shouldRestart(pod, 'init', container, newest.exitCode)) return 'failed';
    planContainer(round, one, newest ?? undefined, newestOf(all, container.name));
    return 'waiting';
  }
  return 'done';
}

/** Plans one container; false when it has ended for good. `before`: what ran in an earlier sandbox. */
function planContainer(
  round: Round,
  one: SpecContainer,
  newest: ObservedContainer | undefined,
  before: ObservedContainer | undefined = newestOf(round.input.observed, one.container.name),
): boolean {
  const { pod, hashOf } = round.input;
  const { container, kind } = one;
  if (!newest) {
    const reset = before ? undefined : round.input.memory.resets.get(container.name);
    if (reset?.source) round.restart(one, reset.container);
    else round.start(one, before ?? reset?.container);
    return true;
  }
  if (newest.state === 'exited') {
    if (!shouldRestart(pod, kind, container, newest.exitCode)) return false;
    round.restart(one, newest);
    return true;
  }
  if (newest.state === 'created') {
    // Made and never started: the kubelet, or the runtime, ended in between. It is made anew.
    if (!round.input.memory.starting.has(newest.id)) {
      round.actions.push({ type: 'removeContainer', container: newest });
      round.start(one, newest);
    }
    return true;
  }
  if (newest.state === 'unknown') {
    const message = `Container ${container.name} is in unknown state, try killing it before restart`;
    round.actions.push({ type: 'killContainer', container: newest, message, why: 'unknown' });
  } else if (newest.hash !== '' && newest.hash !== hashOf(container)) {
    const message = `Container ${container.name} definition changed`;
    round.actions.push({ type: 'killContainer', container: newest, message, why: 'changed' });
  } else if (round.resizeOf(newest)?.type === 'restart') {
    const message = `Container ${container.name} resize requires restart`;
    round.actions.push({ type: 'killContainer', container: newest, message, why: 'resize' });
  } else {
    const resize = round.resizeOf(newest);
    if (resize?.type === 'update') round.actions.push({ type: 'resizeContainer', step: resize });
    const { startup, liveness } = round.probes(newest);
    const failed =
      startup === false && container.startupProbe ? 'startup' : liveness === false ? 'liveness' : undefined;
    if (failed) {
      const message = `Container ${container.name} failed ${failed} probe`;
      round.actions.push({ type: 'killContainer', container: newest, message, why: failed });
    }
  }
  return true;
}

/** Collects the actions of one plan. */
class Round {
  readonly input: PlanInput;
  readonly actions: PodAction[] = [];
  #againAtMs = Number.POSITIVE_INFINITY;

  constructor(input: PlanInput) {
    this.input = input;
    const atMs = deadlineMs(input);
    if (atMs !== undefined) this.again(input.monotonicMs + Math.max(0, atMs - input.nowMs));
  }

  again(atMs: number): number {
    this.#againAtMs = Math.min(this.#againAtMs, atMs);
    return this.#againAtMs;
  }

  probes(container: ObservedContainer): ProbeResults {
    return this.input.memory.probes.get(container.id) ?? {};
  }

  resizeOf({ id }: ObservedContainer): ResizeStep | undefined {
    return this.input.resizes?.find(({ container }) => container.id === id);
  }

  /** Its start-up probe, where it has one, has been passed, and its post-start hook has ended. */
  started({ container }: SpecContainer, observed: ObservedContainer): boolean {
    const { startup } = container.startupProbe ? this.probes(observed) : PASSED;
    return startup === true && !this.input.memory.starting.has(observed.id);
  }

  start({ kind, container }: SpecContainer, before: ObservedContainer | undefined, backoff?: CrashBackoff): void {
    const { memory, monotonicMs } = this.input;
    const failure = memory.failures.get(container.name);
    if (failure && failure.untilMs > monotonicMs) {
      const { backOffFromMs } = failure;
      if (backOffFromMs !== undefined && backOffFromMs <= monotonicMs && failure.reason !== 'ImagePullBackOff') {
        this.actions.push({ type: 'tellImageBackOff', name: container.name });
      } else if (backOffFromMs !== undefined && backOffFromMs > monotonicMs) this.again(backOffFromMs);
      this.again(failure.untilMs);
      return;
    }
    this.actions.push({
      type: 'startContainer',
      kind,
      name: container.name,
      restartCount: before ? before.restartCount + 1 : 0,
      ...(backoff && { backoff }),
    });
  }

  restart(one: SpecContainer, ended: ObservedContainer): void {
    const { pod, memory, monotonicMs } = this.input;
    const endedMs = memory.endedMs.get(ended.id) ?? monotonicMs;
    const backoff = memory.backoffs.get(one.container.name);
    const untilMs = backoff && endedMs - backoff.updatedMs <= 600_000 ? endedMs + backoff.delayMs : 0;
    if (untilMs > monotonicMs) {
      this.again(untilMs);
      if (!memory.toldBackOff.has(ended.id)) {
        this.actions.push({ type: 'tellBackOff', container: ended, message: backOffMessage(pod, ended, backoff!) });
      }
      return;
    }
    this.start(one, ended, nextBackoff(backoff, endedMs, monotonicMs));
  }

  /** Dead containers beyond those that are kept. */
  removeDead(): void {
    const dead = new Map<string, number>();
    for (const container of this.input.observed.containers) {
      if (container.state !== 'exited') continue;
      const count = (dead.get(container.name) ?? 0) + 1;
      dead.set(container.name, count);
      if (count > DEAD_KEPT) this.actions.push({ type: 'removeContainer', container });
    }
  }

  plan(): PodPlan {
    const againAtMs = this.#againAtMs;
    return { actions: this.actions, ...(Number.isFinite(againAtMs) && { againAtMs }) };
  }
}

/** `10s`, `1m20s`, `5m0s`: how upstream writes a delay. */
export function formatDelay(delayMs: number): string {
  const seconds = Math.round(delayMs / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

export function backOffMessage(pod: NodePod, container: ObservedContainer, { delayMs }: CrashBackoff): string {
  return `back-off ${formatDelay(delayMs)} restarting failed container=${container.name} pod=${describePod(pod)}`;
}
