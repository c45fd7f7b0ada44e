import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { HorizontalPodAutoscalerBehavior, HPAScalingRules } from '../../../types/autoscaling/v2.generated.ts';

/** What an autoscaler has wanted, and done, of late. */
export interface Memory {
  readonly recommendations: readonly { readonly replicas: number; readonly atMs: number }[];
  /** Replicas that were added, and removed. */
  readonly added: readonly ScaleChange[];
  readonly removed: readonly ScaleChange[];
}
export interface ScaleChange {
  readonly replicas: number;
  readonly atMs: number;
}

export const NOTHING_YET: Memory = Object.freeze({ recommendations: [], added: [], removed: [] });

export interface Limits {
  readonly behavior: DeepReadonly<HorizontalPodAutoscalerBehavior> | undefined;
  readonly currentReplicas: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly nowMs: number;
}

/** Why it is so, as a condition says it. */
export interface Told {
  readonly reason: string;
  readonly message: string;
}

export interface Limited {
  readonly replicas: number;
  readonly stabilized: Told;
  readonly isLimited: boolean;
  readonly limit: Told;
  readonly recommendations: Memory['recommendations'];
}

const DOWN_WINDOW_MS = 300_000;
/** The most that a change period may be. */
const REMEMBERED_MS = 3_600_000;

const READY: Told = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
const told = (reason: string, message: string): Told => ({ reason, message });
const STABILIZED_DOWN = told(
  'ScaleDownStabilized',
  'recent recommendations were higher than current one, applying the highest recent recommendation',
);
const STABILIZED_UP = told(
  'ScaleUpStabilized',
  'recent recommendations were lower than current one, applying the lowest recent recommendation',
);
const TOO_MANY = told('TooManyReplicas', 'the desired replica count is more than the maximum replica count');
const TOO_FEW = told('TooFewReplicas', 'the desired replica count is less than the minimum replica count');
const UP_LIMIT = told('ScaleUpLimit', 'the desired replica count is increasing faster than the maximum scale rate');
const DOWN_LIMIT = told('ScaleDownLimit', 'the desired replica count is decreasing faster than the maximum scale rate');
const WITHIN = told('DesiredWithinRange', 'the desired count is within the acceptable range');

/**
 * What of a wish may be done now: not less than was wanted a short while ago, not faster than the rules say, and nothing
 * outside the bounds. Pure.
 */
export function limitReplicas(wanted: number, limits: Limits, memory: Memory): Limited {
  const { behavior, currentReplicas, nowMs } = limits;
  const [upMs, downMs] = behavior
    ? [windowMs(behavior.scaleUp, 0), windowMs(behavior.scaleDown, DOWN_WINDOW_MS)]
    : [0, DOWN_WINDOW_MS];
  let [lowest, highest] = [wanted, wanted];
  for (const { replicas, atMs } of memory.recommendations) {
    if (nowMs - atMs < upMs) lowest = Math.min(lowest, replicas);
    if (nowMs - atMs < downMs) highest = Math.max(highest, replicas);
  }
  // Without rules only going down is held back, and no count above the highest wish counts.
  const steady = behavior ? Math.min(Math.max(currentReplicas, lowest), highest) : highest;
  const kept = memory.recommendations.filter(({ atMs }) => nowMs - atMs < Math.max(upMs, downMs));
  const { replicas, limit } = behavior ? byRules(steady, behavior, limits, memory) : byDefault(steady, limits);
  const stabilized = behavior && wanted >= currentReplicas ? STABILIZED_UP : STABILIZED_DOWN;
  return {
    replicas,
    stabilized: steady === wanted ? READY : stabilized,
    isLimited: replicas !== steady,
    limit,
    recommendations: [...kept, { replicas: wanted, atMs: nowMs }],
  };
}

/** With what was done now; what is too old to matter is forgotten. */
export function withChange(memory: Memory, from: number, to: number, atMs: number): Memory {
  const fresh = (changes: readonly ScaleChange[]) => changes.filter((one) => atMs - one.atMs < REMEMBERED_MS);
  const [added, removed] = [fresh(memory.added), fresh(memory.removed)];
  if (to > from) added.push({ replicas: to - from, atMs });
  else removed.push({ replicas: from - to, atMs });
  return { ...memory, added, removed };
}

function windowMs(rules: DeepReadonly<HPAScalingRules> | undefined, defaultMs: number): number {
  const seconds = rules?.stabilizationWindowSeconds;
  return seconds === undefined ? defaultMs : seconds * 1000;
}

interface Bounded {
  readonly replicas: number;
  readonly limit: Told;
}

/** Without rules: at most twice as many at once, or four. */
function byDefault(wanted: number, { currentReplicas, minReplicas, maxReplicas }: Limits): Bounded {
  const fastest = Math.max(2 * currentReplicas, 4);
  const most = Math.min(fastest, maxReplicas);
  if (wanted < minReplicas) return { replicas: minReplicas, limit: TOO_FEW };
  if (wanted > most) return { replicas: most, limit: maxReplicas > fastest ? UP_LIMIT : TOO_MANY };
  return { replicas: wanted, limit: WITHIN };
}

function byRules(
  wanted: number,
  { scaleUp, scaleDown }: DeepReadonly<HorizontalPodAutoscalerBehavior>,
  { currentReplicas, minReplicas, maxReplicas, nowMs }: Limits,
  memory: Memory,
): Bounded {
  if (wanted > currentReplicas) {
    const fastest = Math.max(upLimit(scaleUp, currentReplicas, memory, nowMs), currentReplicas);
    const most = Math.min(fastest, maxReplicas);
    if (wanted > most) return { replicas: most, limit: maxReplicas > fastest ? UP_LIMIT : TOO_MANY };
  } else if (wanted < currentReplicas) {
    const fastest = Math.min(downLimit(scaleDown, currentReplicas, memory, nowMs), currentReplicas);
    const least = Math.max(fastest, minReplicas);
    if (wanted < least) return { replicas: least, limit: minReplicas < fastest ? DOWN_LIMIT : TOO_FEW };
  }
  return { replicas: wanted, limit: WITHIN };
}

type Rules = DeepReadonly<HPAScalingRules> | undefined;

const within = (changes: readonly ScaleChange[], periodSeconds: number, nowMs: number): number =>
  changes.reduce((sum, one) => (nowMs - one.atMs < periodSeconds * 1000 ? sum + one.replicas : sum), 0);

/** As many as there may be by the policies, each counted from the begin of its period. */
function upLimit(rules: Rules, current: number, { added, removed }: Memory, nowMs: number): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const limits = (rules?.policies ?? []).map(({ type, value, periodSeconds }) => {
    const then = current - within(added, periodSeconds, nowMs) + within(removed, periodSeconds, nowMs);
    return type === 'Pods' ? then + value : Math.ceil((then * (100 + value)) / 100);
  });
  if (limits.length === 0) return Number.POSITIVE_INFINITY;
  return rules?.selectPolicy === 'Min' ? Math.min(...limits) : Math.max(...limits);
}

function downLimit(rules: Rules, current: number, { added, removed }: Memory, nowMs: number): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const limits = (rules?.policies ?? []).map(({ type, value, periodSeconds }) => {
    const then = current + within(removed, periodSeconds, nowMs) - within(added, periodSeconds, nowMs);
    return type === 'Pods' ? then - value : Math.trunc((then * (100 - value)) / 100);
  });
  if (limits.length === 0) return 0;
  // What changes most is what is less.
  return rules?.selectPolicy === 'Min' ? Math.max(...limits) : Math.min(...limits);
}
