import type { Clock } from '../../libs/base/clock.ts';
import type { Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { RunningController } from '../../libs/client/controller.ts';
import type { StoppableEventRecorder } from '../../libs/client/event-sink.ts';
import { createEventRecorder } from '../../libs/client/events.ts';
import { LeaderElection } from '../../libs/client/leader-election.ts';
import type { Client, Informers } from '../../libs/kind/client.ts';
import type { FeatureGates } from '../../libs/kind/reconciler.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import { type CatalogEntry, controllersOf, type ManagerSettings } from './catalog.ts';
import { queueMetrics } from './queue-metrics.ts';

const RUNNING = 'running_managed_controllers';

export interface ControllerManagerOptions {
  /** As `system:kube-controller-manager`. */
  readonly client: Client;
  /** Shared by all controllers; belong to the caller, who stops them after the controllers. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly featureGates: FeatureGates;
  /** The client of a controller's own service account of `kube-system`; default: all work as `client`. */
  clientOf?(account: string): Client;
  /** Names of the controllers to run; default all that the settings allow. Throws for an unknown one. */
  readonly only?: readonly string[];
  readonly settings?: ManagerSettings;
  /** Where the queues of controllers are counted. */
  readonly metrics?: MetricSet;
  /** One of several managers: works only while it leads. `lost` is called when it no longer does. */
  readonly leaderElection?: { readonly identity: string; lost?(): void };
}

export interface RunningControllerManager {
  readonly controllers: readonly RunningController[];
  /** No key waits and none is worked on. Keys that come later by time, and watches under way, are not seen here. */
  readonly idle: boolean;
  /** Resolves when the last key has come to its end. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Runs the controllers of all kinds. Returns at once; they begin when the informers have their first state, and, with
 * leader election, when this one leads. Leadership lost stops them for good: the process starts anew.
 */
export function startControllerManager(options: ControllerManagerOptions): RunningControllerManager {
  const manager = new Manager(options);
  manager.start();
  return manager;
}

class Manager implements RunningControllerManager {
  readonly #options: ControllerManagerOptions;
  readonly #entries: readonly CatalogEntry[];
  readonly #recorders: StoppableEventRecorder[] = [];
  #controllers: RunningController[] = [];
  #election: LeaderElection | undefined;
  #stopping: Promise<void> | undefined;
  #halted = false;

  constructor(options: ControllerManagerOptions) {
    this.#options = options;
    const all = controllersOf(options.settings ?? {});
    const { only } = options;
    for (const name of only ?? []) {
      if (all.some((entry) => entry.name === name)) continue;
      throw new Error(`there is no controller "${name}"; there are ${all.map((entry) => entry.name).join(', ')}`);
    }
    this.#entries = only ? all.filter(({ name }) => only.includes(name)) : all;
  }

  get controllers(): readonly RunningController[] {
    return this.#controllers;
  }

  get idle(): boolean {
    return this.#controllers.every((controller) => controller.idle);
  }

  start(): void {
    const { leaderElection, client, clock, random, log } = this.#options;
    if (!leaderElection) return this.#run();
    this.#election = new LeaderElection({
      client,
      clock,
      random: random.fork('leader election'),
      log,
      namespace: 'kube-system',
      name: 'kube-controller-manager',
      identity: leaderElection.identity,
      lead: (lost) => {
        this.#run();
        lost.addEventListener('abort', () => void this.#halt().then(() => leaderElection.lost?.()), { once: true });
      },
    });
    this.#election.start();
  }

  #run(): void {
    const { client, informers, clock, random, keys, featureGates, metrics } = this.#options;
    const observeQueue = metrics && queueMetrics(metrics, clock);
    this.#halted = false;
    metrics?.gauge(RUNNING, 'Whether each controller runs.', ['name', 'manager'], (set) => {
      for (const { name } of this.#controllers) set(this.#halted ? 0 : 1, name, 'kube-controller-manager');
    });
    for (const { name, make, account, source = account || 'kube-controller-manager' } of this.#entries) {
      const own = account === '' ? client : (this.#options.clientOf?.(account) ?? client);
      const log = this.#options.log.child(name);
      const events = createEventRecorder({ client: own, clock, log, component: source });
      this.#recorders.push(events);
      const env = {
        client: own,
        informers,
        clock,
        random: random.fork(name),
        keys,
        log,
        events,
        featureGates,
        ...(observeQueue && { observeQueue }),
        ...(metrics && { metrics }),
      };
      const controller = make(env);
      this.#controllers.push(controller);
      controller.start();
    }
  }

  async #halt(): Promise<void> {
    this.#halted = true;
    await Promise.all(this.#controllers.map((controller) => controller.stop()));
    await Promise.all(this.#recorders.map((recorder) => recorder.stop()));
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#halt().then(() => this.#election?.stop());
    return this.#stopping;
  }
}
