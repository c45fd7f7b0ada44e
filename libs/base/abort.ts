import { Linked, Ring } from './ring.ts';

/** An abort signal that is made when somebody asks for it: signals are dear, and most are followed by nobody. */
export class LazyAbort {
  readonly #reason: () => Error;
  #controller: AbortController | undefined;
  #aborted = false;

  /** `reason` is what the signal fires with. */
  constructor(reason: () => Error) {
    this.#reason = reason;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason());
    }
    return this.#controller.signal;
  }

  /** Idempotent. */
  abort(): void {
    this.#aborted = true;
    this.#controller?.abort(this.#reason());
  }
}

class Follower extends Linked {
  readonly run: () => void;

  constructor(run: () => void) {
    super();
    this.run = run;
  }
}

/** Who follows a signal; kept with the signal and gone with it. */
const followers = new WeakMap<AbortSignal, Ring<Follower>>();

/**
 * Calls `run` when the signal fires, unless the result is called before. As an `abort` listener that is removed again, for
 * signals that live long and are followed shortly, again and again: listeners of the platform cost several microseconds
 * each, and finding one among thousands more. `run` must not throw; a signal that has fired already calls nobody.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const all = followers.get(signal) ?? newFollowers(signal);
  const follower = new Follower(run);
  all.add(follower);
  return () => all.remove(follower);
}

/** By itself, so that the listener, which lives as long as the signal, sees nothing of the first who follows. */
function newFollowers(signal: AbortSignal): Ring<Follower> {
  const all = new Ring<Follower>();
  const tell = () => {
    for (let first = all.first; first; first = all.first) {
      all.remove(first);
      first.run();
    }
  };
  signal.addEventListener('abort', tell, { once: true });
  followers.set(signal, all);
  return all;
}

/** Waits for work, or until the signal says that nobody waits any more: then it rejects with the signal's reason. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  if (signal.aborted) {
    work.catch(() => undefined);
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const over = onAbort(signal, () => reject(signal.reason));
    work.then(
      (value) => {
        over();
        resolve(value);
      },
      (error: unknown) => {
        over();
        reject(error);
      },
    );
  });
}
