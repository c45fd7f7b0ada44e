import type { Clock } from '../base/clock.ts';
import { formatMicroTime, withTimeout } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../kind/client.ts';
import type { ApiObject, Live, ResourceRef } from '../kind/object.ts';
import { ApiError } from '../machinery/errors.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of the Lease, which all candidates name alike: `kube-system`, `kube-scheduler`. */
  readonly namespace: string;
  readonly name: string;
  /** This candidate, unlike all others: `<host name>_<uuid>`. */
  readonly identity: string;
  /** Called when this candidate has become the leader; `lost` fires when it no longer is. */
  lead(lost: AbortSignal): void;
  /** Defaults are upstream's: 15 s, 10 s, 2 s. */
  readonly leaseMs?: number;
  /** A leader that could not renew for this long gives up. Shorter than `leaseMs`: it stops before another begins. */
  readonly renewDeadlineMs?: number;
  readonly retryMs?: number;
}

interface Lease extends ApiObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

const leases: ResourceRef<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  resource: 'leases',
  kind: 'Lease',
  namespaced: true,
};

/** Tries to acquire come up to this much later than they might, so that candidates do not all come at once. */
const JITTER = 1.2;

/**
 * One candidate for the leadership that a Lease stands for. Who holds the Lease leads, as long as it is renewed; when it
 * has not been for `leaseMs` **by this candidate's own clock since it last saw it change**, another takes it. Clocks of
 * different machines are never compared. Conflicts of the API server decide between two that try at once.
 *
 *     const election = new LeaderElection({ …, lead: (lost) => run(lost) });
 *     election.start();
 *     await election.stop();        // gives the Lease up, so that the next need not wait
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #leaseMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryMs: number;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #observed: Live<Lease> | undefined;
  #observedAtMs = 0;
  #leading: AbortController | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryMs = options.retryMs ?? 2000;
  }

  get isLeader(): boolean {
    return this.#leading !== undefined;
  }

  /** Who leads, as far as this candidate knows; empty when nobody does. */
  get leader(): string {
    return this.#observed?.spec?.holderIdentity ?? '';
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the candidate has stopped'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    const { clock, random, log, identity, lead } = this.#options;
    while (!signal.aborted) {
      if (!(await this.#try(signal))) {
        await clock.sleep(this.#retryMs * (1 + JITTER * random.next()), signal).catch(() => {});
        continue;
      }
      log.info('became the leader', { lease: this.#options.name, identity });
      this.#leading = new AbortController();
      lead(this.#leading.signal);
      await this.#renew();
      const leading = this.#leading;
      this.#leading = undefined;
      leading.abort(new Error('no longer the leader'));
      log.info('no longer the leader', { lease: this.#options.name, identity });
      if (signal.aborted) await this.#release();
    }
  }

  /** Renews until that fails for too long, or until somebody stops it. */
  async #renew(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await clock.sleep(this.#retryMs, signal).catch(() => {});
      using deadline = withTimeout(clock, this.#renewDeadlineMs, signal);
      let renewed = false;
      while (!renewed && !deadline.signal.aborted) {
        renewed = await this.#try(deadline.signal);
        if (!renewed) await clock.sleep(this.#retryMs, deadline.signal).catch(() => {});
      }
      if (!renewed) return;
    }
  }

  /** Takes or renews the Lease; false when another holds it, or when it cannot be said. */
  async #try(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#acquire(signal);
    } catch (error) {
      if (signal.aborted) return false;
      const normal = error instanceof ApiError && (error.code === 409 || error.reason === 'AlreadyExists');
      this.#options.log[normal ? 'debug' : 'warn']('cannot take the lease', { lease: this.#options.name, error });
      return false;
    }
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { client, clock, namespace, name, identity } = this.#options;
    const resource = client.resource(leases).namespace(namespace);
    let found: Live<Lease> | undefined;
    try {
      found = await resource.get(name, { signal });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 404) throw error;
    }
    const now = formatMicroTime(clock.now());
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseMs / 1000),
      acquireTime: now,
      renewTime: now,
    };
    if (!found) {
      this.#observe(
        await resource.create({ metadata: { name, namespace }, spec: { ...spec, leaseTransitions: 0 } }, { signal }),
      );
      return true;
    }
    if (found.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observe(found);
    const { holderIdentity = '', acquireTime = now, leaseTransitions = 0 } = found.spec ?? {};
    const mine = holderIdentity === identity;
    const runsFor = clock.monotonic() - this.#observedAtMs;
    if (!mine && holderIdentity !== '' && runsFor < this.#durationOf(found)) return false;
    const next = mine
      ? { ...spec, acquireTime, leaseTransitions }
      : { ...spec, leaseTransitions: leaseTransitions + 1 };
    const lease = { ...structuredClone(found), spec: { ...found.spec, ...next } } as Lease;
    this.#observe(await resource.update(lease, { signal }));
    return true;
  }

  /** What its holder promised: another version may have another duration. */
  #durationOf(lease: Live<Lease>): number {
    const seconds = lease.spec?.leaseDurationSeconds;
    return seconds === undefined ? this.#leaseMs : seconds * 1000;
  }

  #observe(lease: Live<Lease>): void {
    this.#observed = lease;
    this.#observedAtMs = this.#options.clock.monotonic();
  }

  /** Gives the Lease up, if it is still this candidate's. */
  async #release(): Promise<void> {
    const { client, clock, namespace, identity } = this.#options;
    const observed = this.#observed;
    if (!observed || observed.spec?.holderIdentity !== identity) return;
    const now = formatMicroTime(clock.now());
    const spec = { ...observed.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    using deadline = withTimeout(clock, this.#renewDeadlineMs);
    try {
      const lease = { ...structuredClone(observed), spec } as Lease;
      await client.resource(leases).namespace(namespace).update(lease, { signal: deadline.signal });
    } catch (error) {
      this.#options.log.debug('cannot give the lease up', { lease: this.#options.name, error });
    }
  }
}
