import { formatTime } from '../../../../libs/base/clock.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { Lease } from '../../../types/coordination/v1.generated.ts';
import type { Node, NodeCondition, Taint } from '../../../types/core/v1.generated.ts';

const MONITOR_MS = 5000;
/** A node that has never said anything may take this long to begin. */
const STARTUP_GRACE_MS = 60_000;
const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
/** Taints of nodes that are away: with the effect NoExecute pods have to leave. */
export const AWAY: ReadonlySet<string> = new Set([NOT_READY, UNREACHABLE]);

export interface Observed {
  readonly node: Live<Node>;
  readonly lease: Live<Lease> | undefined;
  /** When its lease or its Ready condition was last seen to change, by our own clock: a node's clock may be wrong. */
  readonly heardMs: number;
  readonly graceMs: number;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'unknown'; readonly conditions: readonly NodeCondition[]; readonly lost: boolean }
  | { readonly type: 'taints'; readonly taints: readonly Taint[]; readonly resourceVersion: string }
);

/** Conditions that keep new pods away, by the status that does. */
const CONDITION_TAINTS: readonly (readonly [type: string, status: string, key: string])[] = [
  ['Ready', 'False', NOT_READY],
  ['Ready', 'Unknown', UNREACHABLE],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
];
const NO_SCHEDULE_KEYS = new Set([...CONDITION_TAINTS.map(([, , key]) => key), 'node.kubernetes.io/unschedulable']);
const OWN_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** A node that is not heard of becomes Unknown; what its conditions say becomes taints. */
export function plan({ node, heardMs, graceMs: ofReady }: Observed, nowMs: number): Plan<Action> {
  const actions: Action[] = [];
  const now = formatTime(nowMs);
  let conditions = (node.status?.conditions ?? []) as NodeCondition[];
  const graceMs = conditions.some(({ type }) => type === 'Ready') ? ofReady : STARTUP_GRACE_MS;
  if (nowMs - heardMs > graceMs) {
    const unknown = lost(conditions, node.metadata.creationTimestamp, now);
    if (!sameValue(unknown, conditions)) {
      const wasReady = conditions.find(({ type }) => type === 'Ready')?.status === 'True';
      actions.push({ type: 'unknown', conditions: unknown, lost: wasReady, reason: 'not heard of' });
      conditions = unknown;
    }
  }
  const taints = taintsOf(node, conditions, now);
  if (!sameValue(taints, node.spec?.taints)) {
    actions.push({
      type: 'taints',
      taints,
      resourceVersion: node.metadata.resourceVersion,
      reason: 'conditions changed',
    });
  }
  // Signs of life are told by watches: time alone can only make it late.
  const lateInMs = heardMs + graceMs + 1 - nowMs;
  const isWell = actions.length === 0 && lateInMs > 0;
  return { actions, againAfterMs: lateInMs > 0 ? lateInMs : MONITOR_MS, ...(isWell && { againIs: 'overdue' }) };
}

function lost(conditions: readonly NodeCondition[], createdTime: string, now: string): NodeCondition[] {
  const next = conditions.map((condition) => {
    if (!OWN_CONDITIONS.includes(condition.type as 'Ready') || condition.status === 'Unknown') return condition;
    const message = 'Kubelet stopped posting node status.';
    return { ...condition, status: 'Unknown', reason: 'NodeStatusUnknown', message, lastTransitionTime: now };
  });
  for (const type of OWN_CONDITIONS) {
    if (next.some((condition) => condition.type === type)) continue;
    next.push({
      type,
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: createdTime,
      lastTransitionTime: now,
    });
  }
  return next;
}

function taintsOf(node: Live<Node>, conditions: readonly NodeCondition[], now: string): Taint[] {
  const before = (node.spec?.taints ?? []) as Taint[];
  const wanted: Taint[] = [];
  for (const { type, status } of conditions) {
    const key = CONDITION_TAINTS.find((one) => one[0] === type && one[1] === status)?.[2];
    if (key === undefined) continue;
    wanted.push({ key, effect: 'NoSchedule' });
    if (type === 'Ready') wanted.push({ key, effect: 'NoExecute' });
  }
  if (node.spec?.unschedulable) wanted.push({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' });
  const isOurs = ({ key, effect }: Taint) =>
    (effect === 'NoSchedule' && NO_SCHEDULE_KEYS.has(key)) ||
    (effect === 'NoExecute' && (key === NOT_READY || key === UNREACHABLE));
  const same = (a: Taint) => (b: Taint) => a.key === b.key && a.effect === b.effect;
  const kept = before.filter((taint) => !isOurs(taint) || wanted.some(same(taint)));
  const added = wanted.filter((taint) => !before.some(same(taint)));
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: now }))];
}
