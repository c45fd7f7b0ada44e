/** A test uses the cluster in a way that cannot work: an unknown option, a cluster that was disposed. */
export class ClusterUsageError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
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

/** A manifest cannot be read, or the API refused it. The message begins with the file, the document and the line. */
export class ManifestError extends Error {
  /** `manifests/web.yaml, document 2 (line 14)` */
  readonly where: string;
  constructor(message: string, where: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ManifestError';
    this.where = where;
  }
}

/** A file of a history cannot be read: it is none, is broken, or of another version. The message names file and line. */
export class HistoryFileError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'HistoryFileError';
  }
}

/** A command of `tutti test-env` cannot be: an unknown name, an argument too many or too few, a node that is not there. */
export class TestEnvCommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TestEnvCommandError';
  }
}
