import type { Clock } from '../../libs/base/clock.ts';
import { type Cell, type Distribution, exponentialBuckets, MetricSet } from '../../libs/metrics/metrics.ts';

const SYNC_SECONDS = exponentialBuckets(0.001, 2, 15);
/** Finer where most are, up to the five minutes after which nobody waits any more. */
const PROGRAMMING_SECONDS = [0.25, 0.5, 0.75]
  .concat(Array.from({ length: 60 }, (_, i) => i + 1))
  .concat(Array.from({ length: 12 }, (_, i) => 65 + 5 * i))
  .concat(Array.from({ length: 6 }, (_, i) => 150 + 30 * i));

/** What a proxy counts, under upstream's names (`kubeproxy_…`). */
export class ProxyMetrics {
  readonly #set: MetricSet;
  readonly #clock: Clock;
  readonly #duration: Distribution;
  readonly #programming: Distribution;
  readonly #last: Cell;
  readonly #lastQueued: Cell;
  readonly #failures: Cell;
  readonly #changes: Readonly<Record<'endpoint' | 'service', { readonly total: Cell; readonly pending: Cell }>>;
  readonly #asked: Readonly<Record<'healthz' | 'livez', { add(by: number, code: string): void }>>;

  constructor(clock: Clock, set = new MetricSet()) {
    this.#clock = clock;
    this.#set = set;
    const rules = 'kubeproxy_sync_proxy_rules';
    this.#duration = set
      .histogram(`${rules}_duration_seconds`, 'How long it took to write changes to the kernel.', [], SYNC_SECONDS)
      .at();
    this.#programming = set
      .histogram(
        'kubeproxy_network_programming_duration_seconds',
        'From the change of a pod or Service to its being in the kernel.',
        [],
        PROGRAMMING_SECONDS,
      )
      .at();
    const seconds = 'in seconds since 1970';
    this.#last = set.gauge(`${rules}_last_timestamp_seconds`, `When the kernel was last written, ${seconds}.`).at();
    this.#lastQueued = set.gauge(`${rules}_last_queued_timestamp_seconds`, `When a change last came, ${seconds}.`).at();
    this.#failures = set.counter(`${rules}_nftables_sync_failures_total`, 'Transactions that the kernel refused.').at();
    const changes = (of: 'endpoint' | 'service') => ({
      total: set.counter(`${rules}_${of}_changes_total`, `Changes of ${of}s.`).at(),
      pending: set.gauge(`${rules}_${of}_changes_pending`, `Changes of ${of}s that wait for the kernel.`).at(),
    });
    this.#changes = { endpoint: changes('endpoint'), service: changes('service') };
    const asked = (of: 'healthz' | 'livez') =>
      set.counter(`kubeproxy_proxy_${of}_total`, `Answers to /${of}, by code.`, ['code']);
    this.#asked = { healthz: asked('healthz'), livez: asked('livez') };
  }

  changed(what: 'endpoint' | 'service'): void {
    const { total, pending } = this.#changes[what];
    total.add(1);
    pending.add(1);
    this.#lastQueued.set(this.#clock.now() / 1000);
  }

  /** Changes are written from now on; those that come later wait for the next time. */
  began(): void {
    for (const { pending } of Object.values(this.#changes)) pending.set(0);
  }

  /** `triggeredMs`: when what is in the kernel now had changed, in milliseconds since 1970. */
  written(tookMs: number, triggeredMs: readonly number[]): void {
    const nowMs = this.#clock.now();
    this.#duration.observe(tookMs / 1000);
    this.#last.set(nowMs / 1000);
    for (const ms of triggeredMs) this.#programming.observe(Math.max(0, nowMs - ms) / 1000);
  }

  failed(): void {
    this.#failures.add(1);
  }

  asked(path: 'healthz' | 'livez', code: number): void {
    this.#asked[path].add(1, String(code));
  }

  text(): string {
    return this.#set.text();
  }
}
