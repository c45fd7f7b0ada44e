import { createNodeFiles } from '../../libs/base/node/files.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { type Duration, durationMs } from '../duration.ts';
import { ClusterUsageError } from '../errors.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { ScenarioError } from './errors.ts';
import { type FaultChoice, weighFaults } from './fault-kinds.ts';
import type { InvariantSource } from './invariant.ts';
import { standardInvariants } from './invariants/standard.ts';
import { readReplayFile, writeReplayFile } from './replay-file.ts';
import { type Failure, type Prepared, prepareScenario, type RunResult, runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';
import { type Schedule, scheduleDrawer } from './schedule.ts';
import { shrinkSchedule } from './shrink.ts';
import { tellStory } from './story.ts';

export interface ExploreOptions {
  /** How many seeds. */
  readonly runs: number;
  /** All of an exploration follows from it. Default: drawn, and told. */
  readonly seed?: string | number;
  /** What may go wrong. Default: everything. */
  readonly faults?: FaultChoice;
  /** What must hold. Default: Tutti's own, `standardInvariants`; to add to them: `[...standardInvariants, mine]`. */
  readonly invariants?: readonly InvariantSource[];
  /** The cluster that each run begins with, in place of the one that the scenario prepares. */
  readonly from?: ClusterSnapshot;
  /** How many things go wrong in one run, at most. Default 5. */
  readonly faultsPerRun?: number;
  /** How long one fault lasts, at most. Default 20 s. */
  readonly longest?: Duration;
  /** How long after the end something may still be wrong, as things come right by and by. Default 10 min. */
  readonly settleWithin?: Duration;
  /** Where a file that replays a failure goes; false: no file. Default `explore-failures`. */
  readonly folder?: string | false;
  /** How many runs to look for the shortest schedule that still fails. Default 200. */
  readonly shrinkRuns?: number;
}

/** What an exploration that found nothing has done. */
export interface Exploration {
  readonly scenario: string;
  readonly seed: string;
  readonly runs: number;
  /** How often each kind of fault really happened, over all runs. */
  readonly faults: Readonly<Record<string, number>>;
  /** Writes of the store, over all runs. */
  readonly writes: number;
}

/** A run failed. The message is the story of the shortest one that still does. */
export class ExplorationFailure extends Error {
  readonly scenario: string;
  /** Of the exploration; `run` is which of its runs. */
  readonly seed: string;
  readonly run: number;
  readonly failure: Failure;
  /** The shortest that still fails. */
  readonly schedule: Schedule;
  /** What replays it, where one was written. */
  readonly file: string | undefined;
  constructor(story: string, facts: Omit<ExplorationFailure, keyof Error>) {
    super(story);
    this.name = 'ExplorationFailure';
    this.scenario = facts.scenario;
    this.seed = facts.seed;
    this.run = facts.run;
    this.failure = facts.failure;
    this.schedule = facts.schedule;
    this.file = facts.file;
  }
}

const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  'runs',
  'seed',
  'faults',
  'invariants',
  'from',
  'faultsPerRun',
  'longest',
  'settleWithin',
  'folder',
  'shrinkRuns',
]);
const KNOWN_PARTS: ReadonlySet<string> = new Set([
  'name',
  'cluster',
  'prepare',
  'start',
  'run',
  'settled',
  'within',
  'transport',
]);
const UNDISTURBED: Schedule = Object.freeze({ latencyMs: 5, shuffle: false, perturbations: [] });

/**
 * Runs a scenario with many seeds, each from the same prepared cluster, each with other delays, another order of what
 * happens at once, and other faults; and holds each run to invariants. The faults are drawn over what the scenario does
 * when nothing disturbs it, so that they befall requests that are really made.
 *
 *     await explore(rollout, { runs: 500, seed: 1 });
 *
 * Throws `ExplorationFailure` for the first run that fails: when what `run` waits for never comes, when it throws, when an
 * invariant is violated. Its message tells the story of the shortest schedule that still fails, and a file replays that.
 * Throws `ScenarioError` where the scenario fails undisturbed, `ClusterUsageError` for options that there are not.
 */
export async function explore(scenario: Scenario, options: ExploreOptions): Promise<Exploration> {
  mustKnow('explore has no option', options, KNOWN_OPTIONS);
  mustBeScenario(scenario);
  const { runs, faultsPerRun = 5, shrinkRuns = 200, folder = 'explore-failures' } = options;
  mustBeCount('runs', runs);
  mustBeCount('faultsPerRun', faultsPerRun);
  mustBeCount('shrinkRuns', shrinkRuns);
  const seed = String(options.seed ?? Math.floor(new RealClock().now()));
  const drawn = {
    weights: weighFaults(options.faults),
    most: faultsPerRun,
    longestMs: durationMs(options.longest ?? '20s'),
  };
  const held = holding(options);
  const prepared = await prepareScenario(scenario, seed, options.from);
  const { profile } = await undisturbed(prepared, seed, held);
  const draw = scheduleDrawer(profile, drawn);
  const counts: Record<string, number> = {};
  let writes = 0;
  for (let run = 0; run < runs; run++) {
    const runSeed = `${seed}/${run}`;
    const schedule = draw(new SeededRandom(`${runSeed} schedule`));
    const result = await runScenario(prepared, { seed: runSeed, schedule, ...held });
    if (result.failure)
      throw await shortest(prepared, { seed, run, schedule, failure: result.failure }, held, { shrinkRuns, folder });
    for (const [kind, count] of Object.entries(result.faults)) counts[kind] = (counts[kind] ?? 0) + count;
    writes += result.writes;
  }
  const sorted = Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { scenario: scenario.name, seed, runs, faults: sorted, writes };
}

/**
 * Runs what a file of `explore` tells of. Resolves when it does not fail any more; throws `ExplorationFailure` with its
 * story when it does, and `ReplayFileError` for a file of another version or scenario. `from` and `invariants` are those
 * of the exploration.
 *
 *     test('escaped once', () => replay('tests/seeds/lost-pod.json', rollout));
 */
export async function replay(
  file: string,
  scenario: Scenario,
  options: Pick<ExploreOptions, 'invariants' | 'from' | 'settleWithin'> = {},
): Promise<void> {
  mustKnow('replay has no option', options, new Set(['invariants', 'from', 'settleWithin']));
  mustBeScenario(scenario);
  const { seed, run, schedule } = await readReplayFile(createNodeFiles(), file, scenario.name);
  const held = holding(options);
  const prepared = await prepareScenario(scenario, seed, options.from);
  // Runs share what the first one in a process fills: it must not be another one than in `explore`.
  const runSeed = `${seed}/${run}`;
  const result = await runScenario(prepared, { seed: runSeed, schedule, ...held });
  if (!result.failure) return;
  const story = tellStory(prepared, { seed: runSeed, schedule, result });
  throw new ExplorationFailure(story, { scenario: scenario.name, seed, run, failure: result.failure, schedule, file });
}

interface Held {
  readonly invariants: readonly InvariantSource[];
  readonly settleWithinMs: number;
}

const holding = ({ invariants, settleWithin = '10m' }: Pick<ExploreOptions, 'invariants' | 'settleWithin'>): Held => ({
  invariants: invariants ?? standardInvariants,
  settleWithinMs: durationMs(settleWithin),
});

async function undisturbed(prepared: Prepared, seed: string, held: Held): Promise<RunResult> {
  const undisturbedSeed = `${seed}/undisturbed`;
  const result = await runScenario(prepared, { seed: undisturbedSeed, schedule: UNDISTURBED, notes: true, ...held });
  if (!result.failure) return result;
  const story = tellStory(prepared, { seed: undisturbedSeed, schedule: UNDISTURBED, result });
  throw new ScenarioError(prepared.scenario.name, seed, `it fails though nothing disturbs it\n${story}`);
}

async function shortest(
  prepared: Prepared,
  found: { readonly seed: string; readonly run: number; readonly schedule: Schedule; readonly failure: Failure },
  held: Held,
  { shrinkRuns, folder }: { readonly shrinkRuns: number; readonly folder: string | false },
): Promise<ExplorationFailure> {
  const { seed, run, failure } = found;
  const { name } = prepared.scenario;
  const runSeed = `${seed}/${run}`;
  const again = (schedule: Schedule) => runScenario(prepared, { seed: runSeed, schedule, ...held });
  const alike = (result: RunResult) => result.failure?.kind === failure.kind && result.failure.name === failure.name;
  const { schedule, tries } = await shrinkSchedule(found.schedule, async (one) => alike(await again(one)), shrinkRuns);
  const result = await again(schedule);
  const last = result.failure ?? failure;
  const file =
    folder === false
      ? undefined
      : await writeReplayFile(createNodeFiles(), folder, { scenario: name, seed, run, schedule, failure: last });
  const foundWith = found.schedule.perturbations.length;
  const story = tellStory(prepared, { seed: runSeed, schedule, result, foundWith, tries, ...(file ? { file } : {}) });
  return new ExplorationFailure(story, { scenario: name, seed, run, failure: last, schedule, file });
}

function mustKnow(what: string, given: object, known: ReadonlySet<string>): void {
  for (const name of Object.keys(given)) {
    if (!known.has(name)) throw new ClusterUsageError(`${what} "${name}"; it knows ${[...known].join(', ')}`);
  }
}

function mustBeScenario(scenario: Scenario): void {
  mustKnow('a scenario has no part', scenario, KNOWN_PARTS);
  if (typeof scenario.name !== 'string' || scenario.name === '') throw new ClusterUsageError('a scenario wants a name');
  if (typeof scenario.run !== 'function')
    throw new ClusterUsageError(`scenario "${scenario.name}" wants a function run(cluster)`);
}

function mustBeCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0)
    throw new ClusterUsageError(`explore: ${name} is a whole number from 0 on, not ${value}`);
}
