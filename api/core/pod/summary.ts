import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { ContainerStatus, Pod } from '../../types/core/v1.generated.ts';
import { isSidecar } from './resources.ts';

type Seen = DeepReadonly<Pod>;
type Status = DeepReadonly<ContainerStatus>;

/** A pod in a few words, as `kubectl get pods` tells it. */
export interface PodSummary {
  readonly ready: number;
  readonly total: number;
  /** Running, Completed, CrashLoopBackOff, Init:0/2, Terminating … */
  readonly reason: string;
  readonly restarts: number;
  /** When a container that was started again last ended. */
  readonly lastEnd: string | undefined;
}

interface Tally {
  ready: number;
  restarts: number;
  lastEnd: string | undefined;
}

export function summarize(pod: Seen): PodSummary {
  const { spec, status } = pod;
  const sidecars = new Set((spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const total = (spec?.containers ?? []).length + sidecars.size;
  const first = { reason: initialReason(pod), initializing: false };
  const all: Tally = { ready: 0, restarts: 0, lastEnd: undefined };
  const ofSidecars: Tally = { ready: 0, restarts: 0, lastEnd: undefined };

  const inits = status?.initContainerStatuses ?? [];
  for (const [i, init] of inits.entries()) {
    count(all, init);
    const isOne = sidecars.has(init.name);
    if (isOne) count(ofSidecars, init);
    if (init.state?.terminated?.exitCode === 0) continue;
    if (isOne && init.started) {
      if (init.ready) ofSidecars.ready++;
      continue;
    }
    first.reason = `Init:${whyNotInitialized(init) ?? `${i}/${(spec?.initContainers ?? []).length}`}`;
    first.initializing = true;
    break;
  }
  if (first.initializing && !isTrue(pod, 'Initialized')) {
    return { ...all, ready: ofSidecars.ready, total, reason: whenDying(pod, first.reason) };
  }

  let { reason } = first;
  let running = false;
  for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
    count(ofSidecars, container);
    const { waiting, terminated } = container.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated) reason = terminated.reason || endOf(terminated);
    else if (container.ready && container.state?.running) {
      running = true;
      ofSidecars.ready++;
    }
  }
  if (reason === 'Completed' && running) reason = isTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  return { ...ofSidecars, total, reason: whenDying(pod, reason) };
}

function initialReason({ status }: Seen): string {
  const gated = status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  return gated ? 'SchedulingGated' : status?.reason || (status?.phase ?? '');
}

function whyNotInitialized({ state }: Status): string | undefined {
  if (state?.terminated) return state.terminated.reason || endOf(state.terminated);
  const waiting = state?.waiting?.reason;
  return waiting && waiting !== 'PodInitializing' ? waiting : undefined;
}

const endOf = ({ signal, exitCode }: { readonly signal?: number; readonly exitCode?: number }) =>
  signal ? `Signal:${signal}` : `ExitCode:${exitCode ?? 0}`;

function count(tally: Tally, status: Status): void {
  tally.restarts += status.restartCount ?? 0;
  const end = status.lastState?.terminated?.finishedAt;
  if (end && (tally.lastEnd === undefined || Date.parse(end) > Date.parse(tally.lastEnd))) tally.lastEnd = end;
}

function isTrue({ status }: Seen, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

function whenDying({ metadata, status }: Seen, reason: string): string {
  if (!metadata?.deletionTimestamp) return reason;
  if (status?.reason === 'NodeLost') return 'Unknown';
  return status?.phase === 'Failed' || status?.phase === 'Succeeded' ? reason : 'Terminating';
}
