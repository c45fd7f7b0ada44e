import { mustParseQuantity, toCeil } from '../../../libs/machinery/quantity.ts';

/**
 * When a node has too little left, and of what (API concept "Node-pressure Eviction"). Pure: what is read from the
 * machine goes in, what holds comes out.
 */
export type Signal =
  | 'memory.available'
  | 'nodefs.available'
  | 'nodefs.inodesFree'
  | 'imagefs.available'
  | 'imagefs.inodesFree'
  | 'pid.available';

export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';

/** How much is left, of how much: bytes, inodes or process ids. */
export interface Observation {
  readonly available: number;
  readonly capacity: number;
}
export type Observations = Readonly<Partial<Record<Signal, Observation>>>;

export interface Threshold {
  readonly signal: Signal;
  /** `100Mi`, `10%`. */
  readonly value: string;
  /** How long it must hold; 0: hard, nothing is waited for. */
  readonly gracePeriodMs: number;
  /** What is to be free beyond the threshold before it counts as past. `0` where nothing was said. */
  readonly minimumReclaim: string;
}

export const CONDITION_OF: Readonly<Record<Signal, PressureCondition>> = Object.freeze({
  'memory.available': 'MemoryPressure',
  'nodefs.available': 'DiskPressure',
  'nodefs.inodesFree': 'DiskPressure',
  'imagefs.available': 'DiskPressure',
  'imagefs.inodesFree': 'DiskPressure',
  'pid.available': 'PIDPressure',
});

export const RESOURCE_OF: Readonly<Record<Signal, string>> = Object.freeze({
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
});

type Settings = Readonly<Record<string, string>>;

/** Those that an operator set. Throws for words that mean nothing, saying which. */
export function thresholdsOf(config: {
  readonly evictionHard: Settings;
  readonly evictionSoft: Settings;
  readonly evictionSoftGracePeriod: Settings;
  readonly evictionMinimumReclaim: Settings;
}): Threshold[] {
  const out: Threshold[] = [];
  const add = (from: Settings, name: string, graceOf: (signal: string) => number) => {
    for (const [signal, value] of Object.entries(from)) {
      if (!Object.hasOwn(CONDITION_OF, signal)) throw new Error(`${name}: unknown eviction signal ${signal}`);
      if (!/^\d+(\.\d+)?%$/.test(value)) mustParseQuantity(value);
      const minimumReclaim = config.evictionMinimumReclaim[signal] ?? '0';
      out.push({ signal: signal as Signal, value, gracePeriodMs: graceOf(signal), minimumReclaim });
    }
  };
  add(config.evictionHard, 'evictionHard', () => 0);
  add(config.evictionSoft, 'evictionSoft', (signal) => {
    const grace = config.evictionSoftGracePeriod[signal];
    if (grace === undefined) throw new Error(`evictionSoft: grace period must be specified for ${signal}`);
    return durationMs(grace);
  });
  return out;
}

function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) {
    throw new Error(`evictionSoftGracePeriod: ${text} is no duration`);
  }
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit!] ?? 0), 0);
}

/** A quantity, or a share of what there is. */
export function absolute(value: string, capacity: number): number {
  return value.endsWith('%') ? (capacity * Number.parseFloat(value)) / 100 : toCeil(mustParseQuantity(value));
}

/** What is remembered from one look to the next. All of it may be lost. */
export interface PressureMemory {
  /** By threshold: `monotonic` since when it holds. */
  readonly since: ReadonlyMap<string, number>;
  /** By condition: `monotonic` at which it held last. */
  readonly conditions: ReadonlyMap<PressureCondition, number>;
}
export const NO_PRESSURE: PressureMemory = Object.freeze({ since: new Map(), conditions: new Map() });

export interface PressurePlan {
  readonly memory: PressureMemory;
  /** What the node says of itself, which lasts for a while after the trouble. */
  readonly conditions: ReadonlySet<PressureCondition>;
  /** The thresholds that ask for something to be done now, the most urgent first. */
  readonly act: readonly Threshold[];
}

const keyOf = ({ signal, gracePeriodMs }: Threshold): string => `${signal} ${gracePeriodMs > 0 ? 'soft' : 'hard'}`;

export function planPressure(input: {
  readonly thresholds: readonly Threshold[];
  readonly observations: Observations;
  readonly before: PressureMemory;
  readonly monotonicMs: number;
  readonly transitionPeriodMs: number;
}): PressurePlan {
  const { thresholds, observations, before, monotonicMs, transitionPeriodMs } = input;
  const since = new Map<string, number>();
  const met = thresholds.filter((threshold) => {
    const seen = observations[threshold.signal];
    if (!seen) return false;
    const key = keyOf(threshold);
    const was = before.since.get(key);
    const more = was === undefined ? 0 : absolute(threshold.minimumReclaim, seen.capacity);
    if (seen.available >= absolute(threshold.value, seen.capacity) + more) return false;
    since.set(key, was ?? monotonicMs);
    return true;
  });
  const last = new Map(before.conditions);
  for (const { signal } of met) last.set(CONDITION_OF[signal], monotonicMs);
  for (const [condition, atMs] of last) {
    if (atMs !== monotonicMs && monotonicMs - atMs >= transitionPeriodMs) last.delete(condition);
  }
  const act = met
    .filter((one) => monotonicMs - (since.get(keyOf(one)) ?? monotonicMs) >= one.gracePeriodMs)
    // Memory goes in an instant; a disk fills slowly. Of one signal the hard threshold first.
    .sort((a, b) => rank(a) - rank(b) || a.gracePeriodMs - b.gracePeriodMs);
  return { memory: { since, conditions: last }, conditions: new Set(last.keys()), act };
}

const rank = ({ signal }: Threshold): number =>
  signal === 'memory.available' ? 0 : signal === 'pid.available' ? 2 : 1;
