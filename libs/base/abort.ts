/** Who follows a signal; kept with the signal and gone with it. */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` when the signal fires, unless the result is called before. As an `abort` listener that is removed again, for
 * signals that live long and are followed shortly, again and again: listeners of the platform cost several microseconds
 * each, and finding one among thousands more. `run` must not throw and must be another function each time; a signal that
 * has fired already calls nobody.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const all = followers.get(signal) ?? newFollowers(signal);
  all.add(run);
  return () => void all.delete(run);
}

/** By itself, so that the listener, which lives as long as the signal, sees nothing of the first who follows. */
function newFollowers(signal: AbortSignal): Set<() => void> {
  const all = new Set<() => void>();
  const tell = () => {
    for (const one of all) one();
    all.clear();
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
