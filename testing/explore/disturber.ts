import type { Timer } from '../../libs/base/clock.ts';
import type { Cluster } from '../cluster.ts';
import { ClusterUsageError } from '../errors.ts';
import type { ApiFault } from '../faults/cluster-faults.ts';
import type { Link } from '../nodes/link.ts';
import type { SimulatedNode } from '../simulated-nodes.ts';
import type { ExploredWays } from './explored-transport.ts';
import { isEithersFault, isNodeFault, isRequestFault, type NodeFault } from './fault-kinds.ts';
import type { Perturbation, Schedule } from './schedule.ts';

/** Something that began, or was over, at a time of the run. */
export interface Disturbance {
  readonly atMs: number;
  readonly perturbation: Perturbation;
  readonly over: boolean;
}

/** Counts of the cluster's own faults that go by another name here. */
const RENAMED: Readonly<Record<string, string>> = {
  'break-watch': 'watch-break',
  skew: 'clock-skew',
  pause: 'component-pause',
};

/** What starts a component again tries so often, as whoever looks after processes does: the API server may be away. */
const RESTARTS_MAX = 600;
const RESTART_MS = 1_000;

/** Lets a schedule happen to a cluster. */
export class Disturber {
  readonly #cluster: Cluster;
  readonly #schedule: Schedule;
  readonly #ways: ExploredWays;
  readonly #beganMs: number;
  readonly #counts: Record<string, number>;
  readonly #timers = new Set<Timer>();
  /** Ends what is in force now. */
  readonly #undo = new Map<Perturbation, () => unknown>();
  /** What is under way, by whom it concerns: one thing after another. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly log: Disturbance[] = [];
  #error: unknown;

  constructor(cluster: Cluster, schedule: Schedule, ways: ExploredWays, counts: Record<string, number>) {
    this.#cluster = cluster;
    this.#schedule = schedule;
    this.#ways = ways;
    this.#counts = counts;
    this.#beganMs = cluster.clock.monotonic();
  }

  begin(): void {
    for (const one of this.#schedule.perturbations) {
      if (isRequestFault(one.fault) && one.fault !== 'expire') this.#cluster.faults.add(requestFault(one));
      else this.#after(one.atMs, () => this.#start(one));
    }
  }

  /** Ends all that is in force; nothing begins any more. Resolves when nodes and server are up again. */
  async end(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const one of [...this.#undo.keys()]) this.#stop(one);
    this.#cluster.faults.clear();
    // Under a clock that stands still nodes do not come up.
    let done = false;
    void this.#allTurns().finally(() => {
      done = true;
    });
    while (!done) await this.#cluster.advance(100);
    if (this.#error) throw this.#error;
  }

  /** How often each kind has happened, the cluster's own counts included. */
  get counts(): Readonly<Record<string, number>> {
    const all = { ...this.#counts };
    for (const [kind, count] of Object.entries(this.#cluster.faults.counts)) {
      const name = RENAMED[kind] ?? kind;
      all[name] = (all[name] ?? 0) + count;
    }
    return all;
  }

  async #allTurns(): Promise<void> {
    for (;;) {
      const turns = [...this.#turns.values()];
      await Promise.all(turns);
      if ([...this.#turns.values()].every((turn) => turns.includes(turn))) return;
    }
  }

  #after(delayMs: number, run: () => void): void {
    const timer = this.#cluster.clock.setTimer(() => {
      this.#timers.delete(timer);
      run();
    }, delayMs);
    this.#timers.add(timer);
  }

  #start(one: Perturbation): void {
    const undo = this.#apply(one);
    if (undo === undefined) return;
    this.#note(one, false);
    if (undo === 'at once') return;
    this.#undo.set(one, undo);
    this.#after(one.forMs ?? 0, () => this.#stop(one));
  }

  #stop(one: Perturbation): void {
    const undo = this.#undo.get(one);
    if (!undo) return;
    this.#undo.delete(one);
    this.#note(one, true);
    undo();
  }

  #note(perturbation: Perturbation, over: boolean): void {
    this.log.push({ atMs: this.#cluster.clock.monotonic() - this.#beganMs, perturbation, over });
  }

  #count(kind: string, by = 1): void {
    if (by !== 0) this.#counts[kind] = (this.#counts[kind] ?? 0) + by;
  }

  /** Begins it; gives what ends it. Nothing where it cannot happen now. */
  #apply(one: Perturbation): (() => unknown) | 'at once' | undefined {
    const { faults } = this.#cluster;
    const { fault, of, byMs = 0 } = one;
    if (isNodeFault(fault)) return this.#applyToNode(fault, this.#node(of));
    if (isEithersFault(fault)) {
      const node = this.#cluster.nodes.find(({ name }) => name === of);
      if (fault === 'clock-skew') return this.#skew(of ?? '', node, byMs);
      return this.#spoilLink(one, node ? node.link : faults.link(of ?? ''));
    }
    switch (fault) {
      case 'component-pause':
        faults.pause(of ?? '');
        return () => faults.resume(of ?? '');
      case 'component-partition':
        faults.partition(of ?? '');
        return () => faults.heal(of ?? '');
      case 'component-crash':
        this.#inTurn(of ?? '', () => faults.crash(of ?? ''));
        return () => this.#inTurn(of ?? '', () => this.#restart(of ?? ''));
      case 'watch-break':
        faults.breakWatches(one.resource === undefined ? {} : { resources: [one.resource] });
        return 'at once';
      case 'expire':
        faults.add(requestFault(one));
        faults.breakWatches({
          ...(one.resource === undefined ? {} : { resources: [one.resource] }),
          ...(of === undefined ? {} : { users: [of] }),
        });
        return 'at once';
      case 'slow-watch': {
        const slow = { user: of ?? '', resource: one.resource ?? '', byMs };
        this.#ways.slow.add(slow);
        return () => this.#ways.slow.delete(slow);
      }
      case 'compact':
        this.#inTurn('store', () => faults.compact());
        return 'at once';
      case 'restart-apiserver':
        this.#inTurn('apiserver', () => faults.restartApiServer(one.forMs ?? 0));
        return 'at once';
      case 'disk-full':
        faults.diskFull(true);
        return () => faults.diskFull(false);
      default:
        throw new ClusterUsageError(`a schedule has no fault "${fault}" that begins at a time`);
    }
  }

  #applyToNode(fault: NodeFault, node: SimulatedNode): (() => unknown) | undefined {
    if (node.state !== 'running') return undefined;
    if (fault === 'node-partition' && node.partitioned) return undefined;
    // What is away cannot be killed, and would not come back on a machine that stands still.
    if ((fault === 'kubelet-crash' || fault === 'node-pause') && !node.kubelet) return undefined;
    this.#count(fault);
    const [begin, end] = {
      'node-crash': [() => node.crash(), () => node.restart()],
      'node-pause': [() => node.pause(), () => node.resume()],
      'node-partition': [() => node.partition(), () => node.heal()],
      'kubelet-crash': [() => node.crashKubelet(), () => node.startKubelet()],
    }[fault] as [() => Promise<void>, () => Promise<void>];
    this.#inTurn(node.name, begin);
    return () => this.#inTurn(node.name, end);
  }

  #skew(of: string, node: SimulatedNode | undefined, byMs: number): () => unknown {
    const { faults } = this.#cluster;
    if (node) {
      node.skew(byMs);
      this.#count('clock-skew');
      return () => node.skew(0);
    }
    faults.skew(of, byMs);
    return () => {
      faults.skew(of, 0);
      // Setting a clock right is no fault.
      this.#count('clock-skew', -1);
    };
  }

  #spoilLink({ fault, byMs = 0, share = 0 }: Perturbation, link: Link): () => unknown {
    const isSlow = fault === 'slow-link';
    const before = { ...link.counts };
    if (isSlow) link.delayMs = byMs;
    else link.loss = share;
    return () => {
      if (isSlow) link.delayMs = 0;
      else link.loss = 0;
      const which = isSlow ? 'delayed' : 'lost';
      this.#count(fault, link.counts[which] - before[which]);
    };
  }

  async #restart(component: string): Promise<void> {
    const { faults, clock } = this.#cluster;
    for (let n = 1; ; n++) {
      try {
        return await faults.restart(component);
      } catch (error) {
        if (n >= RESTARTS_MAX) throw error;
        await clock.sleep(RESTART_MS);
      }
    }
  }

  #inTurn(whose: string, run: () => Promise<unknown>): void {
    const before = this.#turns.get(whose) ?? Promise.resolve();
    const turn = before.then(run).catch((error: unknown) => {
      this.#error ??= error;
    });
    this.#turns.set(whose, turn);
  }

  #node(name: string | undefined): SimulatedNode {
    const node = this.#cluster.nodes.find((one) => one.name === name);
    if (!node) throw new ClusterUsageError(`the schedule speaks of a node "${name}" that the cluster does not have`);
    return node;
  }
}

function requestFault({ fault, of, verb, resource, after = 0, times = 1, code, byMs }: Perturbation): ApiFault {
  return {
    fault: fault as ApiFault['fault'],
    after,
    times,
    ...(of === undefined ? {} : { users: [of] }),
    ...(verb === undefined ? {} : { verbs: [verb] }),
    ...(resource === undefined ? {} : { resources: [resource] }),
    ...(code === undefined ? {} : { code }),
    ...(byMs === undefined ? {} : { delayMs: byMs }),
  };
}
