import type { Node } from '../../api/types/core/v1.generated.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';

/** The cluster autoscaler's, on a node that it is about to take away. */
const TO_BE_DELETED_TAINT = 'ToBeDeletedByClusterAutoscaler';
/** How long a change may wait for the kernel, as upstream: twice the period in which it syncs at the latest. */
const PENDING_MS_MAX = 60_000;

/**
 * Whether what is in the kernel is what is in the API: a proxy is healthy while no change has waited for too long.
 */
export class ProxyHealth {
  readonly #clock: Clock;
  #updatedMs: number;
  #pendingSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#updatedMs = clock.now();
  }

  /** There is a change. */
  queued(): void {
    this.#pendingSinceMs ??= this.#clock.monotonic();
  }

  /** All that was queued is in the kernel. */
  updated(): void {
    this.#pendingSinceMs = undefined;
    this.#updatedMs = this.#clock.now();
  }

  get healthy(): boolean {
    return this.#pendingSinceMs === undefined || this.#clock.monotonic() - this.#pendingSinceMs < PENDING_MS_MAX;
  }

  /** Both in milliseconds since 1970. Without anything that waits, the kernel is as of now. */
  get times(): { readonly lastUpdatedMs: number; readonly currentMs: number } {
    const currentMs = this.#clock.now();
    return { lastUpdatedMs: this.#pendingSinceMs === undefined ? currentMs : this.#updatedMs, currentMs };
  }
}

/** Whether load balancers are to send anything to a node: not to one that is about to go. */
export function isEligible(node: DeepReadonly<Node> | undefined): boolean {
  if (node?.metadata?.deletionTimestamp) return false;
  return !node?.spec?.taints?.some(({ key }) => key === TO_BE_DELETED_TAINT);
}
