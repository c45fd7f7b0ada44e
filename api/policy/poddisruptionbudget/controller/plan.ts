import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import type { LabelSelectorSpec } from '../../../../libs/machinery/labels.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import { isReady } from '../../../core/pod/controller/pod-state.ts';
import { withCondition } from '../../../meta/conditions.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../../types/policy/v1.generated.ts';

/** An evicted pod that is still there after this long is not going any more. */
const DELETION_MS = 120_000;

/** What the controllers of the pods want, all together. */
export interface Scale {
  readonly replicas: number;
  /** Pods that nobody keeps, by name. */
  readonly unmanaged: readonly string[];
}

export interface Observed {
  readonly budget: Live<PodDisruptionBudget>;
  readonly pods: readonly Live<Pod>[];
  /** An Error where it cannot be known. */
  readonly scale: Scale | Error;
}

export type Action = { readonly reason: string } & (
  | {
      readonly type: 'event';
      /** The budget where it is about no pod. */
      readonly about?: Live<Pod>;
      readonly event: readonly [type: 'Normal' | 'Warning', reason: string, message: string];
    }
  | { readonly type: 'status'; readonly status: PodDisruptionBudgetStatus }
);

/** Counts what a budget is about: how many pods there should be, must be and are, and so how many may be evicted. */
export function plan({ budget, pods, scale }: Observed, nowMs: number): Plan<Action> {
  const actions: Action[] = [];
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string, about?: Live<Pod>): void => {
    actions.push({ type: 'event', event: [type, reason, message], reason: 'tell', ...(about ? { about } : {}) });
  };
  const write = (status: PodDisruptionBudgetStatus): void => {
    if (!sameValue(status, budget.status)) actions.push({ type: 'status', status, reason: 'status' });
  };
  if (pods.length === 0) tell('Normal', 'NoPods', 'No matching pods found');
  const wanted = wantedOf(budget, pods, scale);
  if (wanted instanceof Error) {
    const why = `Failed to calculate the number of expected pods: ${wanted.message}`;
    tell('Warning', 'CalculateExpectedPodCountFailed', why);
    write(failed(budget, wanted.message, nowMs));
    return { actions };
  }
  if (wanted.unmanaged) tell('Warning', 'UnmanagedPods', unmanagedText(budget.spec?.selector));
  const { disrupted, stuck, againAfterMs } = disruptedPods(budget, pods, nowMs);
  const { namespace, name } = budget.metadata;
  for (const pod of stuck) {
    tell('Warning', 'NotDeleted', `Pod was expected by PDB ${namespace}/${name} to be deleted but it wasn't`, pod);
  }
  const currentHealthy = pods.filter(
    (pod) => !pod.metadata.deletionTimestamp && !Object.hasOwn(disrupted, pod.metadata.name) && isReady(pod),
  ).length;
  const { expectedPods, desiredHealthy } = wanted;
  const spare = currentHealthy - desiredHealthy;
  const disruptionsAllowed = expectedPods <= 0 || spare <= 0 ? 0 : spare;
  const counts = { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods };
  write({
    ...counts,
    ...(Object.keys(disrupted).length > 0 ? { disruptedPods: disrupted } : {}),
    ...(budget.metadata.generation === undefined ? {} : { observedGeneration: budget.metadata.generation }),
    conditions: conditionsOf(budget, disruptionsAllowed > 0, nowMs),
  } as PodDisruptionBudgetStatus);
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

interface Wanted {
  readonly expectedPods: number;
  readonly desiredHealthy: number;
  readonly unmanaged: boolean;
}

function wantedOf(
  { spec }: Live<PodDisruptionBudget>,
  pods: readonly Live<Pod>[],
  scale: Scale | Error,
): Wanted | Error {
  const { maxUnavailable, minAvailable } = spec ?? {};
  if (maxUnavailable === undefined && typeof minAvailable === 'number') {
    return { expectedPods: pods.length, desiredHealthy: minAvailable, unmanaged: false };
  }
  if (maxUnavailable === undefined && minAvailable === undefined) {
    return { expectedPods: 0, desiredHealthy: 0, unmanaged: false };
  }
  if (scale instanceof Error) return scale;
  const { replicas: expectedPods } = scale;
  const unmanaged = scale.unmanaged.length > 0;
  if (maxUnavailable === undefined)
    return { expectedPods, desiredHealthy: ofAll(minAvailable ?? 0, expectedPods), unmanaged };
  return { expectedPods, desiredHealthy: Math.max(0, expectedPods - ofAll(maxUnavailable, expectedPods)), unmanaged };
}

/** A number, or a share of all, rounded up. */
function ofAll(amount: number | string, all: number): number {
  if (typeof amount === 'number') return amount;
  return Math.ceil((Number(amount.replace('%', '')) * all) / 100);
}

/** Evicted pods that are still on their way out, and those that will not go. */
function disruptedPods({ status }: Live<PodDisruptionBudget>, pods: readonly Live<Pod>[], nowMs: number) {
  const disrupted: Record<string, string> = {};
  const stuck: Live<Pod>[] = [];
  let againAfterMs: number | undefined;
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata;
    const since = status?.disruptedPods?.[name];
    if (deletionTimestamp || since === undefined) continue;
    const leftMs = (epochMs(since) ?? 0) + DELETION_MS - nowMs;
    if (leftMs < 0) stuck.push(pod);
    else {
      disrupted[name] = since;
      againAfterMs = Math.min(againAfterMs ?? Number.POSITIVE_INFINITY, leftMs + 1);
    }
  }
  return { disrupted, stuck, againAfterMs };
}

type Conditions = NonNullable<PodDisruptionBudgetStatus['conditions']>;

function conditionsOf(budget: Live<PodDisruptionBudget>, allowed: boolean, nowMs: number): Conditions {
  return ofDisruption(
    budget,
    { status: allowed ? 'True' : 'False', reason: allowed ? 'SufficientPods' : 'InsufficientPods', message: '' },
    Number(budget.metadata.generation ?? 0),
    nowMs,
  );
}

/** What cannot be counted allows nothing. */
function failed(budget: Live<PodDisruptionBudget>, message: string, nowMs: number): PodDisruptionBudgetStatus {
  const generation = Number(budget.status?.observedGeneration ?? 0);
  const told = { status: 'False', reason: 'SyncFailed', message } as const;
  return {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...budget.status,
    disruptionsAllowed: 0,
    conditions: ofDisruption(budget, told, generation, nowMs),
  } as PodDisruptionBudgetStatus;
}

function ofDisruption(
  { status }: Live<PodDisruptionBudget>,
  told: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string },
  generation: number,
  nowMs: number,
): Conditions {
  const condition = { type: 'DisruptionAllowed', ...(generation ? { observedGeneration: generation } : {}), ...told };
  return withCondition((status?.conditions ?? []) as Conditions, condition, nowMs) as Conditions;
}

function unmanagedText(selector: DeepReadonly<LabelSelectorSpec> | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector?.matchExpressions ?? []).map(
    ({ key, operator, values }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(' ')}],},`,
  );
  const matchLabels = labels.map(([key, value]) => `${key}: ${value},`).join('');
  const shown = `&LabelSelector{MatchLabels:map[string]string{${matchLabels}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
  return (
    `Pods selected by this PodDisruptionBudget (selector: ${shown}) were found to be unmanaged. As a result, the status ` +
    'of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please ' +
    'set ".spec.minAvailable" field of the PDB to an integer value.'
  );
}
