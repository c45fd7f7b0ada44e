/** After a fault every heartbeat is sent for so long: longer than anybody waits for a node, or for its pods to be evicted. */
const AFTER_TROUBLE_MS = 600_000;

/** Whether a cluster is left alone, and has been for a while. Asked often enough, it knows of every fault that lasts. */
export class Quiet {
  readonly #monotonic: () => number;
  readonly #isTroubled: () => boolean;
  #troubledMs = Number.NEGATIVE_INFINITY;

  constructor(monotonic: () => number, isTroubled: () => boolean) {
    this.#monotonic = monotonic;
    this.#isTroubled = isTroubled;
  }

  isWell(): boolean {
    const nowMs = this.#monotonic();
    if (this.#isTroubled()) this.#troubledMs = nowMs;
    return nowMs - this.#troubledMs >= AFTER_TROUBLE_MS;
  }
}
