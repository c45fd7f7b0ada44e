import { ExplorationFailure, explore, type Scenario } from '../../testing/index.ts';

export interface SimulateOptions {
  /** How many seeds, over all scenarios, by their shares. */
  readonly seeds: number;
  readonly seed: string;
  readonly folder: string | false;
  /** Goes on with the next scenario after a failure. */
  readonly keepGoing?: boolean;
  readonly say: (line: string) => void;
}

export interface Simulated {
  readonly runs: number;
  /** How often each kind of fault happened. */
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: number;
}

/** Explores scenarios one after another, and tells of each. */
export async function simulate(
  chosen: readonly { readonly scenario: Scenario; readonly share: number }[],
  { seeds, seed, folder, keepGoing = false, say }: SimulateOptions,
): Promise<Simulated> {
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  const counts: Record<string, number> = {};
  let runs = 0;
  let failures = 0;
  for (const { scenario, share } of chosen) {
    const own = Math.ceil((seeds * share) / shares);
    const beganMs = performance.now();
    try {
      const result = await explore(scenario, { runs: own, seed, folder });
      runs += result.runs;
      for (const [kind, count] of Object.entries(result.faults)) counts[kind] = (counts[kind] ?? 0) + count;
      const seconds = (performance.now() - beganMs) / 1000;
      say(`${scenario.name}: ${own} seeds, ${result.writes} writes, nothing wrong (${seconds.toFixed(1)} s)`);
    } catch (error) {
      if (!keepGoing || !(error instanceof ExplorationFailure)) throw error;
      failures++;
      say(`\n${error.message}\n`);
    }
  }
  return { runs, counts, failures };
}

/** A line for each kind of fault that happened. */
export function describeCounts(counts: Readonly<Record<string, number>>): string {
  const lines = Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `  ${kind.padEnd(20)}${String(count).padStart(8)}`);
  return ['faults that happened:', ...lines].join('\n');
}
