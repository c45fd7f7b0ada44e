/** A test uses the cluster in a way that cannot work: an unknown option, a cluster that was disposed. */
export class ClusterUsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ClusterUsageError';
  }
}

/** Something that a test waited for did not come. Says what was last seen, and the seed that shows it again. */
export class NeverSettledError extends Error {
  readonly seed: string;
  constructor(message: string, seed: string) {
    super(`${message} (seed ${seed})`);
    this.name = 'NeverSettledError';
    this.seed = seed;
  }
}
