import type { KubeletEnvironment } from '../environment.ts';
import { gracePeriodMs, type NodePod, uidOf } from '../pod/objects.ts';
import { Repeated } from '../repeated.ts';
import { evictionMessage, overLocalLimit, rankForEviction } from './ranking.ts';
import {
  CONDITION_OF,
  NO_PRESSURE,
  type Observations,
  type PressureCondition,
  type PressureMemory,
  planPressure,
  type Signal,
  type Threshold,
  thresholdsOf,
} from './thresholds.ts';
import { observeNode, podUsages } from './usage.ts';

export interface EvictionOptions {
  readonly env: KubeletEnvironment;
  /** Pods that run here and have not ended. */
  readonly active: () => readonly NodePod[];
  readonly evict: (uid: string, message: string, graceMs: number) => void;
  /** Frees disk that nobody uses: images, dead containers. */
  readonly reclaimDisk: () => Promise<void>;
  /** The node's conditions have changed: to be told at once. */
  readonly changed: () => void;
}

const LOOK_MS = 10_000;
/** Where nothing is waited for, a container has this long. */
const HARD_GRACE_MS = 1_000;

/**
 * Keeps a node alive that runs short: looks what is left, says so by conditions, and when a threshold is met frees what
 * nobody needs, then ends one pod, and looks again.
 */
export class Eviction {
  readonly #options: EvictionOptions;
  readonly #thresholds: readonly Threshold[];
  #memory: PressureMemory = NO_PRESSURE;
  #conditions: ReadonlySet<PressureCondition> = new Set();
  readonly #looks: Repeated;
  #stopped = false;

  /** Throws where thresholds make no sense. */
  constructor(options: EvictionOptions) {
    this.#options = options;
    this.#thresholds = thresholdsOf(options.env.config);
    this.#looks = new Repeated(options.env.clock, {
      run: () => this.#look(false),
      delayMs: () => LOOK_MS,
      upkeep: () => (this.#memory.since.size > 0 || this.#memory.conditions.size > 0 ? undefined : 'check'),
    });
  }

  get conditions(): ReadonlySet<PressureCondition> {
    return this.#conditions;
  }

  /** Resolves when the first look is done, so that the node's first report is right. */
  async start(): Promise<void> {
    await this.#look(true);
    this.#looks.later();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looks.stop();
  }

  async #look(first: boolean): Promise<void> {
    const { env, changed } = this.#options;
    try {
      const observations = await this.#observe();
      const plan = this.#plan(observations);
      if (!same(plan.conditions, this.#conditions)) {
        this.#conditions = plan.conditions;
        if (!first) changed();
      }
      if (first || this.#stopped) return;
      if (await this.#endsBeyondLimits()) return;
      const [threshold] = plan.act;
      if (threshold) await this.#act(threshold, observations);
    } catch (error) {
      if (!this.#stopped) env.log.warn('it could not be seen what the node has left', { error });
    }
  }

  #observe(): Promise<Observations> {
    const { host, cri, config } = this.#options.env;
    return observeNode(host, cri, config.rootDirectory);
  }

  #plan(observations: Observations) {
    const { clock, config } = this.#options.env;
    const plan = planPressure({
      thresholds: this.#thresholds,
      observations,
      before: this.#memory,
      monotonicMs: clock.monotonic(),
      transitionPeriodMs: config.evictionPressureTransitionPeriodMs,
    });
    this.#memory = plan.memory;
    return plan;
  }

  async #act(threshold: Threshold, before: Observations): Promise<void> {
    const { env, active, evict, reclaimDisk } = this.#options;
    const { signal, gracePeriodMs: softMs } = threshold;
    env.log.warn('the node runs short', { signal, threshold: threshold.value, available: before[signal]?.available });
    let observations = before;
    if (CONDITION_OF[signal] === 'DiskPressure') {
      await reclaimDisk();
      observations = await this.#observe();
      if (!this.#plan(observations).act.some((one) => one.signal === signal)) return;
    }
    const seen = observations[signal];
    if (!seen || this.#stopped) return;
    const pods = active();
    const usages = await podUsages(env, pods, { walk: () => onDisk(signal) });
    const candidates = pods.flatMap((pod) => {
      const usage = usages.get(uidOf(pod))?.usage;
      return usage ? [{ pod, usage }] : [];
    });
    const [chosen] = rankForEviction(candidates, signal);
    if (!chosen) return env.log.warn('no pod can be evicted', { signal });
    const most = env.config.evictionMaxPodGracePeriodSeconds * 1000;
    const graceMs = softMs > 0 ? Math.min(most, gracePeriodMs(chosen.pod)) : HARD_GRACE_MS;
    evict(uidOf(chosen.pod), evictionMessage(threshold, seen, chosen), graceMs);
  }

  /** Pods that keep more on the node's disk than they may go, whether the node is short or not. */
  async #endsBeyondLimits(): Promise<boolean> {
    const { env, active, evict } = this.#options;
    const limited = active().filter(hasLocalLimit);
    if (limited.length === 0) return false;
    const usages = await podUsages(env, limited, { walk: () => true });
    let any = false;
    for (const pod of limited) {
      const found = usages.get(uidOf(pod));
      const message = found && overLocalLimit(pod, found.usage, found.emptyDirs);
      if (!message) continue;
      any = true;
      evict(uidOf(pod), message, HARD_GRACE_MS);
    }
    return any;
  }
}

const onDisk = (signal: Signal): boolean => CONDITION_OF[signal] === 'DiskPressure';

const hasLocalLimit = ({ spec }: NodePod): boolean =>
  (spec?.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined) ||
  (spec?.containers ?? []).some(({ resources }) => resources?.limits?.['ephemeral-storage'] !== undefined);

const same = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean =>
  a.size === b.size && [...a].every((one) => b.has(one));
