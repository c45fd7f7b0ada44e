// Which test files run together, and how.

/** Files that one `node --test` runs. Paths are relative to the root. */
export type Group = {
  readonly name: string;
  readonly files: readonly string[];
  /** `none`: all files in one process, fast. `process`: one for each file, for tests that own what is global. */
  readonly isolation: 'none' | 'process';
  /** How many files at a time; of meaning with isolation. */
  readonly concurrency: number;
  /** Limit of one test that sets none itself. */
  readonly testMsMax: number;
  /** How long nothing may happen while no test runs: files load, hooks set up, processes end. */
  readonly idleMsMax: number;
};

const MINUTE_MS = 60_000;
/** Each has clusters of a few hundred megabytes, and bounds of time that a crowd would break. */
const WHOLE_MAX = 2;

/**
 * Splits test files into groups that run one after another, except that groups of one `round` run side by side.
 * Tests beside the code share processes, as many as there are cores; those under `tests/` get one each. Those that run whole
 * clusters with real containers wait more than they compute: two at once. Those of the package build it, each anew, in one
 * folder: one after the other.
 */
export function groupFiles(files: readonly string[], cores: number): Group[][] {
  const beside = files.filter((file) => !file.startsWith('tests/'));
  const whole = files.filter((file) => file.startsWith('tests/e2e/'));
  const packed = files.filter((file) => file.startsWith('tests/package/'));
  const apart = files.filter((file) => file.startsWith('tests/') && !whole.includes(file) && !packed.includes(file));
  const shares = Math.min(Math.max(1, Math.min(cores, 8)), beside.length);
  const unit = Array.from(
    { length: shares },
    (_, share): Group => ({
      name: shares === 1 ? 'beside the code' : `beside the code, ${share + 1} of ${shares}`,
      files: beside.filter((_file, index) => index % shares === share),
      isolation: 'none',
      concurrency: 1,
      testMsMax: MINUTE_MS,
      idleMsMax: MINUTE_MS / 2,
    }),
  );
  const rounds: Group[][] = [
    unit,
    [
      {
        name: 'tests/',
        files: apart,
        isolation: 'process',
        concurrency: Math.max(1, cores),
        testMsMax: 5 * MINUTE_MS,
        idleMsMax: 1.5 * MINUTE_MS,
      },
    ],
    [
      {
        name: 'tests/ of whole clusters',
        files: whole,
        isolation: 'process',
        concurrency: Math.max(1, Math.min(cores, WHOLE_MAX)),
        testMsMax: 15 * MINUTE_MS,
        idleMsMax: 10 * MINUTE_MS,
      },
    ],
    [
      {
        name: 'tests/ of the package',
        files: packed,
        isolation: 'process',
        concurrency: 1,
        testMsMax: 15 * MINUTE_MS,
        idleMsMax: 10 * MINUTE_MS,
      },
    ],
  ];
  return rounds.map((round) => round.filter((group) => group.files.length > 0)).filter((round) => round.length > 0);
}
