import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { EndlessInstantError, VirtualClock } from '../../libs/base/virtual-clock.ts';
import type { Cluster } from '../cluster.ts';
import { namesOf } from '../components.ts';
import { createHookedCluster } from '../create-cluster.ts';
import { durationMs } from '../duration.ts';
import { NeverSettledError } from '../errors.ts';
import type { History } from '../history.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { type Disturbance, Disturber } from './disturber.ts';
import { ScenarioError } from './errors.ts';
import { ExploredWays } from './explored-transport.ts';
import { InvariantError, type InvariantSource } from './invariant.ts';
import { BaseState, Observer } from './observer.ts';
import type { Scenario } from './scenario.ts';
import type { Profile, Schedule } from './schedule.ts';

/** What is wrong with a run. Two runs fail alike when kind and name are the same. */
export interface Failure {
  /** `invariant`: its name; `unsettled`: what was waited for never came; `error`: what the scenario threw. */
  readonly kind: 'invariant' | 'unsettled' | 'error';
  readonly name: string;
  readonly message: string;
}

export interface RunOptions {
  readonly seed: string;
  readonly schedule: Schedule;
  readonly invariants: readonly InvariantSource[];
  /** Whether to count the requests, for the profile: it has none otherwise. */
  readonly notes?: boolean;
  /** How much of the cluster's time may pass after the end until nothing is wrong any more. */
  readonly settleWithinMs: number;
}

export interface RunResult {
  readonly failure?: Failure;
  /** How often each kind of fault happened. */
  readonly faults: Readonly<Record<string, number>>;
  readonly disturbances: readonly Disturbance[];
  /** When `run` began, and how long it took, of the cluster's time. */
  readonly beganMs: number;
  readonly durationMs: number;
  readonly profile: Profile;
  /** How many changes of the store there were. */
  readonly writes: number;
  readonly history: History;
}

/** A prepared cluster, from which all runs begin. */
export interface Prepared {
  readonly scenario: Scenario;
  readonly from: ClusterSnapshot;
  readonly base: BaseState;
}

const SETTLE_STEP_MS = 1_000;
const QUIET_MS = 5_000;
const DISPOSE_STEP_MS = 100;
/** Ten minutes of the cluster's time. */
const DISPOSE_STEPS_MAX = 6_000;
const WITHIN = '1h';
/** Of real time: a run that does not end by then waits for what never comes. */
const RUN_REAL_MS = 60_000;
/** Written whatever happens. */
const HEARTBEATS: ReadonlySet<string> = new Set([
  'leases.coordination.k8s.io',
  'nodes',
  'events',
  'events.events.k8s.io',
]);

/** Prepares a scenario's cluster, or takes one that is. */
export async function prepareScenario(scenario: Scenario, seed: string, given?: ClusterSnapshot): Promise<Prepared> {
  const from = given ?? (await prepare(scenario, seed));
  const clock = new VirtualClock({ turn, startMs: from.nowMs });
  const store = MemoryStore.fromSnapshot(from.store, { clock, random: new SeededRandom(seed) });
  const { entries } = await store.list('/registry/');
  const base = new BaseState(entries, await store.currentRevision());
  await store.close();
  return { scenario, from, base };
}

async function prepare(scenario: Scenario, seed: string): Promise<ClusterSnapshot> {
  await using cluster = await createHookedCluster({ ...scenario.cluster, seed }, {});
  await limited(scenario, seed, 'prepare', cluster, async () => scenario.prepare?.(cluster));
  return await cluster.snapshot();
}

/** One run of a scenario, from the prepared cluster to its end. */
export async function runScenario({ scenario, from, base }: Prepared, options: RunOptions): Promise<RunResult> {
  const { seed, schedule } = options;
  const counted: Record<string, number> = {};
  const count = (kind: string) => {
    counted[kind] = (counted[kind] ?? 0) + 1;
  };
  let disturber: Disturber | undefined;
  const observer = new Observer({
    base,
    startMs: from.nowMs,
    invariants: options.invariants,
    counts: () => disturber?.counts ?? {},
    runs: (controller) =>
      from.components.includes('controller-manager') && (from.controllers?.includes(controller) ?? true),
  });
  const ways = new ExploredWays({
    latencyMs: schedule.latencyMs,
    random: new SeededRandom(`${seed} ways`),
    answered: (answer) => observer.answered(answer),
    told: (told) => observer.told(told),
    count,
    notes: options.notes ?? false,
  });
  const withinMs = durationMs(scenario.within ?? WITHIN);
  let writes = 0;
  let deeds = 0;
  let endMs = Number.POSITIVE_INFINITY;
  let nowMs = () => 0;
  let ending = false;
  const cluster = await createHookedCluster(
    { seed, from, everyHeartbeat: true, ...(scenario.cluster?.images ? { images: scenario.cluster.images } : {}) },
    {
      shuffleTimers: schedule.shuffle,
      wrote(event, atMs) {
        writes++;
        observer.wrote(event, atMs);
        if (!HEARTBEATS.has(observer.lastResource)) deeds++;
      },
      transport(inner, user, time) {
        const planted = scenario.transport?.(inner, user) ?? inner;
        return ways.over(planted, user, time);
      },
      mustGoOn() {
        if (ending) return;
        if (observer.failure) throw observer.failure;
        if (nowMs() > endMs)
          throw new NeverSettledError(`scenario "${scenario.name}" did not end within ${withinMs} ms`, seed);
      },
    },
  );
  nowMs = () => cluster.clock.monotonic();
  observer.begin(cluster);
  disturber = new Disturber(cluster, schedule, ways, counted);
  const beganMs = cluster.clock.now();
  let ranMs = 0;
  let failure: Failure | undefined;
  try {
    await cluster.advance(0);
    const started = await scenario.start?.(cluster);
    try {
      ways.begin();
      disturber.begin();
      const beganAtMs = cluster.clock.monotonic();
      endMs = beganAtMs + withinMs;
      await limited(scenario, seed, 'run', cluster, () => scenario.run(cluster));
      ranMs = cluster.clock.monotonic() - beganAtMs;
      endMs = Number.POSITIVE_INFINITY;
      await limited(scenario, seed, 'its end', cluster, async () => {
        await disturber?.end();
        await settle(cluster, observer, () => deeds, options.settleWithinMs);
        await scenario.settled?.(cluster);
      });
    } finally {
      ending = true;
      await dispose(cluster, started);
    }
  } catch (error) {
    failure = failureOf(observer.failure ?? error);
  }
  const faults = disturber.counts;
  const history = cluster.history();
  const profile = {
    durationMs: ranMs,
    requests: ways.requests,
    nodes: cluster.nodes.map(({ name }) => name),
    components: namesOf(from.components),
  };
  await cluster[Symbol.asyncDispose]();
  return {
    ...(failure ? { failure } : {}),
    faults,
    disturbances: disturber.log,
    beganMs,
    durationMs: ranMs,
    profile,
    writes,
    history,
  };
}

/** Waits until nothing is written any more and all is as it must be. Throws what is wrong when the time is over. */
async function settle(cluster: Cluster, observer: Observer, deeds: () => number, withinMs: number): Promise<void> {
  const endMs = cluster.clock.monotonic() + withinMs;
  let seen = deeds();
  let sinceMs = cluster.clock.monotonic();
  let looked = -1;
  for (;;) {
    const nowMs = cluster.clock.monotonic();
    if (deeds() !== seen) [seen, sinceMs] = [deeds(), nowMs];
    const isLast = nowMs >= endMs;
    if (isLast || nowMs - sinceMs >= QUIET_MS) {
      // What has not changed since it was wrong is looked at again now and then: watches catch up without a write.
      if (isLast || looked !== seen || (nowMs - sinceMs) % QUIET_MS === 0) {
        looked = seen;
        const wrong = await observer.settled();
        if (!wrong) return;
        if (isLast || wrong === observer.failure) throw wrong;
      }
    }
    await cluster.advance(SETTLE_STEP_MS);
  }
}

/** Runs a part of a scenario within a bound of real time: what waits for what never comes is told, not waited for. */
async function limited<T>(
  scenario: Scenario,
  seed: string,
  part: string,
  cluster: Cluster,
  run: () => Promise<T>,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = new RealClock().setTimer(
    () => {
      const at = new Date(cluster.clock.now()).toISOString();
      late.reject(
        new ScenarioError(scenario.name, seed, `${part} does not end: it waits since ${at} of the cluster's time`),
      );
    },
    RUN_REAL_MS,
    { keepAlive: true },
  );
  try {
    return await Promise.race([run(), late.promise]);
  } finally {
    timer.cancel();
  }
}

/** Ends what a scenario has started, which may take some of the cluster's time. */
async function dispose(cluster: Cluster, started: AsyncDisposable | Disposable | void): Promise<void> {
  if (!started) return;
  if (!(Symbol.asyncDispose in started)) return started[Symbol.dispose]();
  let done = false;
  const ended = Promise.resolve(started[Symbol.asyncDispose]()).finally(() => {
    done = true;
  });
  ended.catch(() => undefined);
  for (let step = 0; !done && step < DISPOSE_STEPS_MAX; step++) await cluster.advance(DISPOSE_STEP_MS);
  if (!done) throw new Error('what the scenario started does not end when it is disposed of');
  await ended;
}

function failureOf(error: unknown): Failure {
  if (error instanceof InvariantError) return { kind: 'invariant', name: error.invariant, message: error.message };
  if (error instanceof NeverSettledError || error instanceof EndlessInstantError || error instanceof ScenarioError)
    return { kind: 'unsettled', name: error.name, message: error.message };
  if (error instanceof Error) return { kind: 'error', name: error.name, message: error.message };
  return { kind: 'error', name: 'Error', message: String(error) };
}
