/**
 * How much may still be sent: of one stream, or of the whole connection. As long as the peer has not shown that it keeps
 * windows (`obey`), the account is kept but nobody waits for it.
 */
export class SendWindow {
  #left: number;
  #obeyed: boolean;
  #error: Error | undefined;
  #waiting: { wanted: number; resolve: (granted: number) => void; reject: (error: Error) => void }[] = [];

  constructor(size: number, obeyed = false) {
    this.#left = size;
    this.#obeyed = obeyed;
  }

  /** Takes up to `wanted` bytes, at least one; waits until there is one. Rejects after `fail`. */
  take(wanted: number): Promise<number> {
    if (this.#error) return Promise.reject(this.#error);
    if (!this.#obeyed) {
      this.#left -= wanted;
      return Promise.resolve(wanted);
    }
    if (this.#left > 0 && this.#waiting.length === 0) return Promise.resolve(this.#grant(wanted));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wanted, resolve, reject });
    });
  }

  /** The peer has read (positive) or has made its window smaller (negative: the window may fall below 0). */
  widen(bytes: number): void {
    this.#left += bytes;
    while (this.#left > 0 && this.#waiting.length > 0) {
      const next = this.#waiting.shift();
      next?.resolve(this.#grant(next.wanted));
    }
  }

  obey(): void {
    this.#obeyed = true;
  }

  fail(error: Error): void {
    this.#error ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  #grant(wanted: number): number {
    const granted = Math.min(wanted, this.#left);
    this.#left -= granted;
    return granted;
  }
}
