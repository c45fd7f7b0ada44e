// A component of which only one may work, where several servers share a store.

import { LeaderElection } from '../../libs/client/leader-election.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import type { Machine } from './apiserver.ts';

export interface LeadingOptions {
  /** As the component. */
  readonly client: Client;
  /** Of the Lease in `kube-system`: `kube-scheduler`. */
  readonly name: string;
  /** This server, unlike all others. */
  readonly identity: string;
  /** Where is told whether it leads. */
  readonly metrics?: MetricSet;
}

const RETRY_MS = 1_000;

/**
 * Runs what `start` gives while this server leads: it is disposed when another may take over, and started anew when this
 * one leads again. Disposing ends the work, then gives the Lease up, so that the next need not wait.
 */
export function whileLeading(
  { clock, random, log }: Pick<Machine, 'clock' | 'random' | 'log'>,
  { client, name, identity, metrics }: LeadingOptions,
  start: () => Promise<AsyncDisposable>,
): AsyncDisposable {
  // One after the other: the work of a new term waits for the end of that before it.
  let terms = Promise.resolve();
  let running: AsyncDisposable | undefined;
  const end = async (): Promise<void> => {
    const ended = running;
    running = undefined;
    await ended?.[Symbol.asyncDispose]();
  };
  const then = (what: () => Promise<void>): void => {
    terms = terms.then(what).catch((error: unknown) => log.error('a component that leads failed', { name, error }));
  };
  const leads = metrics
    ?.gauge('leader_election_master_status', 'Whether this server leads: 1, or 0.', ['name'])
    .at(name);
  leads?.set(0);
  const election = new LeaderElection({
    client,
    clock,
    random: random.fork('leader election'),
    log: log.child('leader-election'),
    namespace: 'kube-system',
    name,
    identity,
    lead(lost) {
      leads?.set(1);
      then(async () => {
        while (!lost.aborted && !running) {
          try {
            running = await start();
          } catch (error) {
            log.error('a component that leads could not start', { name, error });
            await clock.sleep(RETRY_MS, lost).catch(() => undefined);
          }
        }
      });
      const over = () => {
        leads?.set(0);
        then(end);
      };
      lost.addEventListener('abort', over, { once: true });
    },
  });
  election.start();
  return {
    async [Symbol.asyncDispose]() {
      then(end);
      await terms;
      await election.stop();
      // It may have begun to lead meanwhile.
      await terms;
    },
  };
}
