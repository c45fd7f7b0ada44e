import { qosClassOf } from '../../../api/core/pod/resources.ts';
import { couldRestartAllContainers } from '../../../api/core/pod/restart-rules.ts';
import type { ContainerStatus, PodCondition, PodStatus } from '../../../api/types/core/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import { inOnePiece } from '../../../libs/base/text.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { containerStatus } from './container-status.ts';
import { containersOf, type NodePod, type SpecContainer } from './objects.ts';
import { restartSources } from './plan.ts';
import type { Resources } from './resize.ts';
import { shouldRestart } from './restart.ts';
import {
  isAlive,
  type NodeDecision,
  newestOf,
  type ObservedContainer,
  type ObservedPod,
  type PodMemory,
} from './state.ts';

export interface StatusInput {
  readonly pod: NodePod;
  readonly observed: ObservedPod;
  readonly memory: PodMemory;
  readonly nowMs: number;
  readonly monotonicMs: number;
  readonly runtimeName: string;
  /** The node's addresses, the first one being the main one. */
  readonly hostIps: readonly string[];
  /** When this node took the pod. */
  readonly startMs: number;
  /** The pod comes to its end, or is being deleted. */
  readonly ending: boolean;
  readonly finished?: NodeDecision;
  readonly appliedOf?: (container: ObservedContainer) => Resources | undefined;
  /** Conditions that are shown for a while. */
  readonly passing?: Partial<Record<PassingCondition, Truth>>;
}

/** The conditions that a kubelet keeps; the others in a pod's status are somebody else's. */
const OWN_CONDITIONS = [
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
] as const;
type OwnCondition = (typeof OWN_CONDITIONS)[number];
/** Those that are there only while there is something to say. */
const PASSING_CONDITIONS = [
  'PodResizePending',
  'PodResizeInProgress',
  'DisruptionTarget',
  'AllContainersRestarting',
] as const;
export type PassingCondition = (typeof PASSING_CONDITIONS)[number];
const WRITTEN_CONDITIONS: readonly string[] = [...OWN_CONDITIONS, ...PASSING_CONDITIONS];

export type Truth = { readonly status: boolean; readonly reason?: string; readonly message?: string };

/** The whole status of a pod, from what is known now. Pure. Transition times are kept where nothing has changed. */
export function podStatus(input: StatusInput): PodStatus {
  const { pod, nowMs, finished } = input;
  if (finished?.rejected) return rejectedStatus(input, finished);
  const all = containersOf(pod);
  const initialized = isInitialized(input, all);
  const statuses = (kind: SpecContainer['kind']) =>
    all.filter((one) => one.kind === kind).map((one) => containerStatus(input, one));
  const containerStatuses = statuses('main');
  const initStatuses = statuses('init');
  // Nobody waits for a container that somebody looks around with: upstream never calls one ready or started.
  const ephemeral = statuses('ephemeral').map(({ started: _, ...status }) => ({ ...status, ready: false }));

  const ended = settled(input);
  const reached = finished && ended ? finished.phase : phaseOf(input, all, initStatuses, containerStatuses);
  const truths = conditions(input, reached, initialized, initStatuses, containerStatuses);
  // Whoever waits for the pod's end may count on all that it holds: sidecars have ended by then, too.
  const phase = ended || !isTerminal(reached) ? reached : phaseBefore(pod);
  const generation = pod.metadata?.generation;
  const ips = addresses(input);
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    conditions: mergeConditions(pod, truths, passingConditions(input, phase), nowMs),
    ...(ended && finished?.reason && { reason: finished.reason }),
    ...(ended && finished?.message && { message: finished.message }),
    ...(input.hostIps[0] !== undefined && {
      hostIP: input.hostIps[0],
      hostIPs: input.hostIps.map((ip) => ({ ip })),
    }),
    ...(ips[0] !== undefined && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: pod.status?.startTime ?? formatTime(input.startMs),
    ...(initStatuses.length > 0 && { initContainerStatuses: initStatuses }),
    containerStatuses,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: pod.status?.qosClass ?? (pod.spec ? qosClassOf(pod.spec) : 'BestEffort'),
  };
}

/** A pod that was never taken has no containers to tell of. */
function rejectedStatus({ pod, startMs }: StatusInput, { phase, reason, message }: NodeDecision): PodStatus {
  const { conditions, startTime, qosClass } = pod.status ?? {};
  return {
    phase,
    ...(conditions && { conditions: copyValue(conditions) as PodCondition[] }),
    ...(reason && { reason }),
    ...(message && { message }),
    startTime: startTime ?? formatTime(startMs),
    qosClass: qosClass ?? (pod.spec ? qosClassOf(pod.spec) : 'BestEffort'),
  };
}

/** How a pod ends that was deleted, once nothing of it runs; undefined where it never did. `told`: as the API has it. */
export function finalDecision(pod: NodePod, { containers }: ObservedPod, told: NodePod): NodeDecision | undefined {
  if (containers.length === 0) {
    // The runtime has forgotten what ran.
    const ran = told.status?.containerStatuses?.some(({ state }) => state?.running ?? state?.terminated);
    return ran ? { phase: 'Failed' } : undefined;
  }
  const mains = new Set((pod.spec?.containers ?? []).map(({ name }) => name));
  const ends = containers.filter(({ name }) => mains.has(name));
  const well = ends.length > 0 && ends.every(({ exitCode }) => exitCode === 0);
  return { phase: well ? 'Succeeded' : 'Failed' };
}

const isTerminal = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

const phaseBefore = ({ status }: NodePod): string =>
  isTerminal(status?.phase) ? 'Running' : (status?.phase ?? 'Pending');

/** Nothing of the pod runs any more. */
const settled = ({ observed }: StatusInput): boolean => !observed.containers.some(isAlive);

function addresses({ pod, observed, hostIps, finished }: StatusInput): readonly string[] {
  if (pod.spec?.hostNetwork) return observed.sandboxes.length > 0 ? hostIps : [];
  const ready = observed.sandboxes[0];
  if (ready && ready.ips.length > 0) return ready.ips;
  // The address of a pod that has ended is history, and is kept as such.
  const told = (pod.status?.podIPs ?? []).map(({ ip }) => ip ?? '');
  return finished ? told.filter((ip) => ip !== '') : [];
}

function isInitialized({ observed, memory, pod }: StatusInput, all: readonly SpecContainer[]): boolean {
  if (all.some(({ kind, container }) => kind === 'main' && newestOf(observed, container.name))) return true;
  // Who begins anew has been initialized before, and is not taken back.
  if (all.some(({ kind, container }) => kind === 'main' && memory.resets.has(container.name))) return true;
  return all
    .filter(({ kind }) => kind === 'init')
    .every(({ container, sidecar }) => {
      const newest = newestOf(observed, container.name);
      if (!sidecar) {
        const told = pod.status?.initContainerStatuses?.find(({ name }) => name === container.name);
        return newest ? newest.state === 'exited' && newest.exitCode === 0 : told?.state?.terminated?.exitCode === 0;
      }
      if (!newest || !isAlive(newest) || memory.starting.has(newest.id)) return false;
      return !container.startupProbe || memory.probes.get(newest.id)?.startup === true;
    });
}

function phaseOf(
  { pod, observed, memory }: StatusInput,
  all: readonly SpecContainer[],
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
): string {
  let pendingInit = false;
  for (const one of all.filter(({ kind }) => kind === 'init')) {
    const status = inits.find(({ name }) => name === one.container.name);
    const ended = status?.state?.terminated;
    if (one.sidecar) {
      if (!status?.state?.running && !status?.lastState?.terminated) pendingInit = true;
    } else if (ended && ended.exitCode !== 0 && !shouldRestart(pod, 'init', one.container, ended.exitCode)) {
      return 'Failed';
    } else if (ended?.exitCode !== 0) pendingInit = true;
  }
  const ran = mains.some(({ name }) => newestOf(observed, name));
  if (pendingInit && !ran) return 'Pending';
  let waiting = 0;
  let running = 0;
  let restarting = 0;
  let failed = 0;
  for (const status of mains) {
    const one = all.find(({ container }) => container.name === status.name)!;
    const ended = status.state?.terminated ?? status.lastState?.terminated;
    if (status.state?.running) running++;
    else if (memory.resets.has(status.name)) restarting++;
    else if (!ended) waiting++;
    else if (shouldRestart(pod, 'main', one.container, ended.exitCode)) restarting++;
    else if (ended.exitCode !== 0) failed++;
  }
  if (waiting > 0 || mains.length === 0) return 'Pending';
  if (running > 0 || restarting > 0) return 'Running';
  return failed > 0 ? 'Failed' : 'Succeeded';
}

function conditions(
  input: StatusInput,
  phase: string,
  initialized: boolean,
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
): Record<OwnCondition, Truth> {
  const { pod, observed } = input;
  const sandbox = observed.sandboxes[0];
  const ended = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : undefined;
  const containersReady = (): Truth => {
    if (ended) return { status: false, reason: ended };
    const sidecars = inits.filter(({ name }) => containersOf(pod).some((c) => c.sidecar && c.container.name === name));
    const unready = [...sidecars, ...mains].filter(({ ready }) => !ready).map(({ name }) => name);
    if (unready.length === 0) return { status: true };
    const message = inOnePiece('containers with unready status: [', unready.join(' '), ']');
    return { status: false, reason: 'ContainersNotReady', message };
  };
  const containers = containersReady();
  const ready = (): Truth => {
    if (!containers.status) return containers;
    const missing: string[] = [];
    for (const { conditionType } of pod.spec?.readinessGates ?? []) {
      const gate = pod.status?.conditions?.find(({ type }) => type === conditionType);
      if (!gate) missing.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
      else if (gate.status !== 'True') {
        missing.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
      }
    }
    return missing.length === 0
      ? { status: true }
      : { status: false, reason: 'ReadinessGatesNotReady', message: missing.join(', ') };
  };
  const init = (): Truth => {
    if (phase === 'Succeeded') return { status: true, reason: 'PodCompleted' };
    if (initialized) return { status: true };
    const incomplete = inits
      .filter(({ state, ready: done }) => !(state?.terminated?.exitCode === 0) && !done)
      .map(({ name }) => name);
    const message = inOnePiece('containers with incomplete status: [', incomplete.join(' '), ']');
    return { status: false, reason: 'ContainersNotInitialized', message };
  };
  const network = sandbox?.ready === true && (sandbox.ips.length > 0 || pod.spec?.hostNetwork === true);
  return {
    PodReadyToStartContainers: { status: network },
    Initialized: init(),
    Ready: ready(),
    ContainersReady: containers,
    PodScheduled: { status: true },
  };
}

function passingConditions(input: StatusInput, phase: string): Partial<Record<PassingCondition, Truth>> {
  const { finished, passing } = input;
  const restarting = restartingAll(input, phase);
  const others = { ...passing, ...(restarting && { AllContainersRestarting: restarting }) };
  if (!finished?.disrupted) return others;
  const message = finished.message ?? '';
  return { ...others, DisruptionTarget: { status: true, reason: 'TerminationByKubelet', message } };
}

function restartingAll({ pod, observed }: StatusInput, phase: string): Truth | undefined {
  if (!couldRestartAllContainers(pod.spec)) return undefined;
  if (phase === 'Succeeded') return { status: false, reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: false, reason: 'PodFailed' };
  if (restartSources(pod, observed).length === 0) return { status: false };
  const message = 'container exited with restart policy rule';
  return { status: true, reason: 'RestartAllContainersStarted', message };
}

function mergeConditions(
  pod: NodePod,
  truths: Record<OwnCondition, Truth>,
  passing: Partial<Record<PassingCondition, Truth>>,
  nowMs: number,
): PodCondition[] {
  const told = pod.status?.conditions ?? [];
  const generation = pod.metadata?.generation;
  const merged: PodCondition[] = [];
  for (const one of told) {
    const isOthers = !WRITTEN_CONDITIONS.includes(one.type);
    // A disruption that somebody announced is not taken back here.
    const isAnnounced = one.type === 'DisruptionTarget' && passing.DisruptionTarget === undefined;
    if (isOthers || isAnnounced) merged.push(copyValue(one) as PodCondition);
  }
  const tell = (type: string, { status, reason, message }: Truth) => {
    const before = told.find((one) => one.type === type);
    const text = status ? 'True' : 'False';
    const lastTransitionTime = before?.status === text ? before.lastTransitionTime : undefined;
    const condition: PodCondition = {
      type,
      ...(generation !== undefined && { observedGeneration: generation }),
      status: text,
      lastProbeTime: null,
      lastTransitionTime: lastTransitionTime ?? formatTime(nowMs),
    };
    if (reason) condition.reason = reason;
    if (message) condition.message = message;
    merged.push(condition);
  };
  for (const type of Object.keys(passing) as PassingCondition[]) {
    const truth = passing[type];
    if (truth) tell(type, truth);
  }
  for (const type of OWN_CONDITIONS) tell(type, truths[type]);
  return merged;
}

/** A strategic merge patch of a pod's status. */
export interface StatusPatch {
  readonly metadata: { readonly uid: string | undefined };
  readonly status: Record<string, unknown> & { conditions?: (Partial<PodCondition> & { $patch?: 'delete' })[] };
}

/**
 * What to send so that `before` becomes `after`, as a strategic merge patch; undefined where nothing differs. Conditions
 * of others are left out, so that they are not written over.
 */
export function statusPatch(
  pod: NodePod,
  after: PodStatus,
  same: (a: unknown, b: unknown) => boolean,
): StatusPatch | undefined {
  const before = (pod.status ?? {}) as PodStatus;
  const patch: StatusPatch['status'] = {};
  const compare = (field: keyof PodStatus) => {
    const is = after[field];
    if (same(before[field] ?? null, is ?? null)) return;
    if (field === 'conditions') {
      const changed = (after.conditions ?? []).flatMap((one) => {
        const known = before.conditions?.find(({ type }) => type === one.type);
        if (!WRITTEN_CONDITIONS.includes(one.type) || same(known ?? null, one)) return [];
        // A merge keeps what is not spoken of: a reason that no longer holds is taken away by name.
        return [{ ...(known?.reason && { reason: null }), ...(known?.message && { message: null }), ...one }];
      });
      const gone = (before.conditions ?? []).filter(
        ({ type }) => WRITTEN_CONDITIONS.includes(type) && !after.conditions?.some((one) => one.type === type),
      );
      const parts = [...gone.map(({ type }) => ({ $patch: 'delete', type })), ...changed];
      if (parts.length > 0) patch.conditions = parts as StatusPatch['status']['conditions'];
    } else if (field === 'podIPs' || field === 'hostIPs') {
      const kept = after[field] ?? [];
      const gone = (before[field] ?? []).filter(({ ip }) => !kept.some((one) => one.ip === ip));
      patch[field] = [...gone.map(({ ip }) => ({ $patch: 'delete', ip })), ...kept];
    } else patch[field] = is ?? null;
  };
  for (const field of OWN_FIELDS) compare(field);
  for (const field of Object.keys(after) as (keyof PodStatus)[]) if (!OWN_FIELDS.includes(field)) compare(field);
  if (Object.keys(patch).length === 0) return undefined;
  return { metadata: { uid: pod.metadata?.uid }, status: patch };
}

/** Whether a patch says nothing that anybody acts upon: addresses, generations, that there is a network. */
export function isSmallNews(pod: NodePod, { status: { conditions = [], ...others } }: StatusPatch): boolean {
  if (Object.keys(others).some((field) => !SMALL_FIELDS.has(field))) return false;
  return conditions.every((after) => {
    if (after.type === 'PodReadyToStartContainers') return true;
    const before = pod.status?.conditions?.find(({ type }) => type === after.type);
    return (
      before && (['status', 'reason', 'message'] as const).every((key) => (before[key] ?? '') === (after[key] ?? ''))
    );
  });
}

const SMALL_FIELDS: ReadonlySet<string> = new Set([
  'observedGeneration',
  'podIP',
  'podIPs',
  'hostIP',
  'hostIPs',
] satisfies (keyof PodStatus)[]);

/** Fields that are taken away where they are not in the new status. */
const OWN_FIELDS: readonly (keyof PodStatus)[] = [
  'reason',
  'message',
  'podIP',
  'podIPs',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
];
