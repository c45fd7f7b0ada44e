import type { Clock } from '../../libs/base/clock.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import { createSeriesEventRecorder } from '../../libs/client/events.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client, Informers } from '../../libs/kind/client.ts';
import type { FeatureGates } from '../../libs/kind/reconciler.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import type { SchedulerConfiguration } from './configuration.ts';
import type { EnabledPlugin } from './framework/profile.ts';
import { type RunningScheduler, startScheduler } from './start-scheduler.ts';

export interface RunSchedulerOptions {
  /** As `system:kube-scheduler`. */
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly featureGates: FeatureGates;
  /** The process's own, where other components share it; otherwise the scheduler makes and ends its own. */
  readonly informers?: Informers;
  readonly configuration?: SchedulerConfiguration;
  /** Beside the built-in ones. */
  readonly plugins?: readonly EnabledPlugin[];
  /** Where attempts and waiting pods are counted. */
  readonly metrics?: MetricSet;
  /** How long its own informers' watches last. Default as of any client. */
  readonly watchSeconds?: number;
  /** The machine, in events. */
  readonly host?: string;
}

/** Puts a scheduler together with what it needs beside a client, and starts it. */
export async function runScheduler(options: RunSchedulerOptions): Promise<RunningScheduler> {
  const { client, clock, random, log, watchSeconds } = options;
  const reflecting = { client, clock, random: random.fork('informers'), log, ...(watchSeconds && { watchSeconds }) };
  const own = options.informers ? undefined : createInformers(reflecting);
  const events = createSeriesEventRecorder({
    client,
    clock,
    log,
    component: 'default-scheduler',
    ...(options.host ? { host: options.host } : {}),
  });
  const informers = options.informers ?? (own as Informers);
  const ended = async () => {
    await events.stop();
    await own?.stop();
  };
  try {
    const running = await startScheduler({ ...options, informers, events });
    return {
      scheduler: running.scheduler,
      resourceMetrics: () => running.resourceMetrics(),
      stop: async () => {
        await running.stop();
        await ended();
      },
    };
  } catch (error) {
    await ended();
    throw error;
  }
}
