/** A scenario cannot be explored: it fails without any fault, or it never ends. The message names scenario and seed. */
export class ScenarioError extends Error {
  readonly scenario: string;
  readonly seed: string;
  constructor(scenario: string, seed: string, message: string, options?: { cause?: unknown }) {
    super(`scenario "${scenario}": ${message} (seed ${seed})`, options);
    this.name = 'ScenarioError';
    this.scenario = scenario;
    this.seed = seed;
  }
}

/** A file that replays a failure cannot be replayed here. The message begins with the file and says what in it is wrong. */
export class ReplayFileError extends Error {
  readonly file: string;
  constructor(file: string, message: string, options?: { cause?: unknown }) {
    super(`${file}: ${message}`, options);
    this.name = 'ReplayFileError';
    this.file = file;
  }
}
