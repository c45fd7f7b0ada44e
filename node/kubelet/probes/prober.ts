import type { Probe } from '../../../api/types/core/v1.generated.ts';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { PodContainer } from '../pod/objects.ts';
import type { ProbeResults } from '../pod/state.ts';
import type { ProbeOutcome } from './run.ts';

export type ProbeKind = keyof ProbeResults;

export interface ProberOptions {
  readonly clock: Clock;
  readonly container: PodContainer;
  /** `monotonic` at which the container was started. */
  readonly startedMs: number;
  /** What was known before. */
  readonly results: ProbeResults;
  /** Runs a probe once; rejects where nothing was learned. */
  readonly run: (probe: DeepReadonly<Probe>) => Promise<ProbeOutcome>;
  /** Gets the results whenever one has changed. */
  readonly changed: (results: ProbeResults) => void;
  /** A probe that failed, could not be run (`error`), or was answered with a redirect to elsewhere (`warning`). */
  readonly failed: (kind: ProbeKind, output: string, how: 'failure' | 'error' | 'warning') => void;
  /** A probe has run; `unknown`: it could not be run. */
  readonly probed?: (kind: ProbeKind, result: ProbeResult) => void;
}

export type ProbeResult = 'successful' | 'failed' | 'unknown';

const KINDS = ['startup', 'liveness', 'readiness'] as const;

/**
 * The probes of one running container, on timers: the start-up probe alone until it has been passed, then the others.
 * A result counts once it has come as often in a row as its threshold says. After a start-up or liveness probe has failed
 * for good, nothing is probed any more: the container is about to be ended.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #timers = new Map<ProbeKind, Timer>();
  readonly #runs = new Map<ProbeKind, { success: boolean; count: number }>();
  #results: ProbeResults;
  #stopped = false;
  #onlyReadiness = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#results = options.results;
  }

  start(): void {
    const { container } = this.#options;
    if (container.startupProbe && this.#results.startup !== true)
      this.#schedule('startup', container.startupProbe, true);
    else this.#startOthers();
  }

  /** The pod is being ended: whether the container lives is no question any more. */
  endLiveness(): void {
    this.#onlyReadiness = true;
    for (const kind of ['startup', 'liveness'] as const) {
      this.#timers.get(kind)?.cancel();
      this.#timers.delete(kind);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #startOthers(): void {
    const { livenessProbe, readinessProbe } = this.#options.container;
    if (livenessProbe && !this.#onlyReadiness) this.#schedule('liveness', livenessProbe, true);
    if (readinessProbe) this.#schedule('readiness', readinessProbe, true);
  }

  #schedule(kind: ProbeKind, probe: DeepReadonly<Probe>, first: boolean): void {
    if (this.#stopped) return;
    const { clock, startedMs } = this.#options;
    const delayMs = first
      ? Math.max(0, startedMs + (probe.initialDelaySeconds ?? 0) * 1000 - clock.monotonic())
      : (probe.periodSeconds ?? 10) * 1000;
    this.#timers.set(
      kind,
      clock.setTimer(() => void this.#probe(kind, probe), delayMs),
    );
  }

  async #probe(kind: ProbeKind, probe: DeepReadonly<Probe>): Promise<void> {
    const { run, failed, clock } = this.#options;
    const begunMs = clock.monotonic();
    let outcome: ProbeOutcome | undefined;
    try {
      outcome = await run(probe);
      const how = outcome.warning ? 'warning' : outcome.success ? undefined : 'failure';
      if (!this.#stopped && how) failed(kind, outcome.output, how);
    } catch (error) {
      if (!this.#stopped) failed(kind, (error as Error).message, 'error');
    }
    if (this.#stopped) return;
    this.#options.probed?.(kind, outcome === undefined ? 'unknown' : outcome.success ? 'successful' : 'failed');
    if (this.#onlyReadiness && kind !== 'readiness') return;
    if (outcome) this.#count(kind, probe, outcome.success);
    if (this.#stopped || (kind === 'startup' && this.#results.startup === true)) return;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const nextMs = Math.max(0, begunMs + periodMs - clock.monotonic());
    this.#timers.set(
      kind,
      clock.setTimer(() => void this.#probe(kind, probe), nextMs),
    );
  }

  #count(kind: ProbeKind, probe: DeepReadonly<Probe>, success: boolean): void {
    const before = this.#runs.get(kind);
    const count = before?.success === success ? before.count + 1 : 1;
    this.#runs.set(kind, { success, count });
    const threshold = success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (count < threshold || this.#results[kind] === success) return;
    this.#results = { ...this.#results, [kind]: success };
    this.#options.changed(this.#results);
    if (kind === 'startup' && success) this.#startOthers();
    else if (kind !== 'readiness' && !success) this.stop();
  }
}

/** What is known of a container's probes before any has run. */
export function firstResults(container: PodContainer): ProbeResults {
  return {
    ...(!container.startupProbe && { startup: true }),
    ...(!container.readinessProbe && { readiness: true }),
    liveness: true,
  };
}

export const hasProbes = ({ startupProbe, livenessProbe, readinessProbe }: PodContainer): boolean =>
  KINDS.some((kind) => ({ startup: startupProbe, liveness: livenessProbe, readiness: readinessProbe })[kind]);
