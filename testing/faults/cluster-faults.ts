import type { ComponentPlaces } from '../component-place.ts';
import type { Link } from '../nodes/link.ts';
import type { ActiveFault, ApiFault, ApiFaults, FaultCounts } from './api-faults.ts';
import type { FaultyWays } from './fault-transport.ts';
import type { FaultyStore } from './faulty-store.ts';

export type { ActiveFault, ApiFault, FaultCounts, FaultKind } from './api-faults.ts';

/** What can go wrong around the API server of a cluster. Everything is drawn from the cluster's seed, and counted. */
export interface ClusterFaults {
  /** Lets something befall requests from now on, until it is disposed of (`using`), cleared, or has happened `times`. */
  add(fault: ApiFault): ActiveFault;
  /** Takes all faults of requests away, empties the disk, and sets clocks and links of components right. */
  clear(): void;
  /** How often each kind has happened. */
  readonly counts: FaultCounts;
  /** Breaks watches that are open now, of some resources or users, or all. Gives how many. */
  breakWatches(of?: { readonly resources?: readonly string[]; readonly users?: readonly string[] }): number;
  /** Forgets all history: watches that broke before must begin anew (410). */
  compact(): Promise<void>;
  /** The API server ends and begins anew; watches break, requests find nobody for `downMs` (default 0). */
  restartApiServer(downMs?: number): Promise<void>;
  /** The store's disk is full (nothing is written, everything is read), or has room again. */
  diskFull(full: boolean): void;
  /** Sets a component's wall clock wrong by so many milliseconds; positive: ahead. */
  skew(component: string, byMs: number): void;
  /** Lets a component stand still, as a process that is stopped, or go on. */
  pause(component: string): void;
  resume(component: string): void;
  /** Kills a component's process; `restart` begins it anew. */
  crash(component: string): Promise<void>;
  restart(component: string): Promise<void>;
  /** Cuts a component off from the API server: its watches break, its requests get no answer; `heal` ends that. */
  partition(component: string): void;
  heal(component: string): void;
  /** A component's way to the API server: `delayMs` makes it slow, `loss` lossy. */
  link(component: string): Link;
}

export interface ClusterFaultsOptions {
  readonly requests: ApiFaults;
  readonly ways: FaultyWays;
  readonly store: FaultyStore;
  readonly restartApiServer: (downMs: number) => Promise<void>;
  readonly components: ComponentPlaces;
  readonly drive: <T>(work: Promise<T>) => Promise<T>;
}

export function clusterFaults(options: ClusterFaultsOptions): ClusterFaults {
  const { requests, ways, store, components, drive } = options;
  const clockOf = (component: string) => components.known(component).clock;
  const faults: Omit<ClusterFaults, 'counts'> = {
    add: (fault) => requests.add(fault),
    clear() {
      requests.clear();
      store.full = false;
      for (const { clock, link } of components) {
        clock.skewMs = 0;
        clock.resume();
        Object.assign(link, { cut: false, delayMs: 0, loss: 0 });
      }
    },
    breakWatches: (of) => ways.breakWatches(of),
    async compact() {
      requests.count('compact');
      await store.compact(await store.currentRevision());
    },
    async restartApiServer(downMs = 0) {
      requests.count('restart-apiserver');
      await options.restartApiServer(downMs);
    },
    diskFull(full) {
      store.full = full;
    },
    skew(component, byMs) {
      requests.count('skew');
      clockOf(component).skewMs = byMs;
    },
    pause(component) {
      requests.count('pause');
      clockOf(component).pause();
    },
    resume: (component) => clockOf(component).resume(),
    async crash(component) {
      const place = components.known(component);
      requests.count('component-crash');
      await drive(place.crash());
    },
    async restart(component) {
      await drive(components.known(component).restart());
    },
    partition(component) {
      const { link } = components.known(component);
      requests.count('component-partition');
      link.cut = true;
    },
    heal(component) {
      components.known(component).link.cut = false;
    },
    link: (component) => components.known(component).link,
  };
  return Object.assign(new CountedFaults(requests), faults);
}

/** A class, as a getter of each cluster's own would keep it whole until the next major collection (docs/decisions). */
class CountedFaults {
  readonly #requests: ApiFaults;

  constructor(requests: ApiFaults) {
    this.#requests = requests;
  }

  get counts(): FaultCounts {
    return this.#requests.counts;
  }
}
