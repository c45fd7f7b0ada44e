/** What the API server sees to while it runs: objects that a cluster stands on, its own lease, what others left behind. */
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Revision } from '../../store/store.ts';
import { ensureSystemNamespaces } from '../bootstrap/bootstrap.ts';
import { type ClusterNetwork, ensureKubernetesService, repairServiceAddresses } from '../bootstrap/cluster-network.ts';
import type { Engine } from '../registry/engine.ts';
import type { ApiServer } from '../server.ts';
import { systemContext } from '../system-context.ts';
import { collectExpiredIdentities, type Identity, keepIdentityLease } from './identity-lease.ts';

export interface UpkeepTask {
  readonly name: string;
  readonly everyMs: number;
  run(engine: Engine, ctx: RequestContext): Promise<void>;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Upstream's periods. */
export function standardUpkeep(network: ClusterNetwork): UpkeepTask[] {
  return [
    {
      name: 'kubernetes service',
      everyMs: 10 * SECOND_MS,
      run: (engine, ctx) => ensureKubernetesService(engine, ctx, network),
    },
    { name: 'system namespaces', everyMs: MINUTE_MS, run: ensureSystemNamespaces },
    { name: 'service addresses', everyMs: 3 * MINUTE_MS, run: repairServiceAddresses },
    { name: 'expired identities', everyMs: 60 * MINUTE_MS, run: collectExpiredIdentities },
    { name: 'history', everyMs: 5 * MINUTE_MS, run: compaction() },
  ];
}

/**
 * Forgets what was past at the time before: history of five to ten minutes stays. Each server of a cluster does so, and
 * whoever is first spares the others the work.
 */
function compaction(): UpkeepTask['run'] {
  let before: Revision | undefined;
  return async ({ store }) => {
    if (!store.growsUntilCompacted) return;
    const now = await store.currentRevision();
    if (before !== undefined) await store.compact(before);
    before = now;
  };
}

/** Runs each task again and again, each so long after its last end; what fails is logged and tried again. */
export class Upkeep {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timers = new Map<UpkeepTask, Timer>();
  #identity: Disposable | undefined;
  #running = false;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  get running(): boolean {
    return this.#running;
  }

  start(server: ApiServer, tasks: readonly UpkeepTask[], identity: Identity): void {
    this.#running = true;
    this.#identity = keepIdentityLease({ server, clock: this.#clock, log: this.#log, ...identity });
    for (const task of tasks) this.#await(server.engine, task);
  }

  stop(): void {
    this.#running = false;
    this.#identity?.[Symbol.dispose]();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #await(engine: Engine, task: UpkeepTask): void {
    const timer = this.#clock.setTimer(async () => {
      try {
        await task.run(engine, systemContext(this.#clock, task.name));
      } catch (error) {
        if (this.#running) this.#log.warn('something could not be seen to', { task: task.name, error });
      }
      if (this.#running) this.#await(engine, task);
    }, task.everyMs);
    this.#timers.set(task, timer);
  }
}
