/** After a fault every heartbeat is sent for so long: longer than anybody waits for a node, or for its pods to be evicted. */
const AFTER_TROUBLE_MS = 600_000;

/** Whether a cluster is left alone, and has been for a while. Asked whenever time begins to pass, it knows of all that lasts. */
export class Quiet {
  readonly #monotonic: () => number;
  readonly #isTroubled: () => boolean;
  #wasTroubled = false;
  #troubledMs = Number.NEGATIVE_INFINITY;

  constructor(monotonic: () => number, isTroubled: () => boolean) {
    this.#monotonic = monotonic;
    this.#isTroubled = isTroubled;
  }

  isWell(): boolean {
    const nowMs = this.#monotonic();
    const isTroubled = this.#isTroubled();
    // When it ended is not known: some time since it was asked for.
    if (isTroubled || this.#wasTroubled) this.#troubledMs = nowMs;
    this.#wasTroubled = isTroubled;
    return nowMs - this.#troubledMs >= AFTER_TROUBLE_MS;
  }
}
