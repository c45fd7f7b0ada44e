import { parsePodLogDirectory } from '../../cri/logs.ts';
import type { KubeletEnvironment } from '../environment.ts';
import type { PodWorker } from '../pod/worker.ts';
import { Repeated } from '../repeated.ts';
import { ImageGarbageCollector } from './images.ts';
import { rotateLog } from './logs.ts';

export interface HousekeepingOptions {
  readonly env: KubeletEnvironment;
  readonly workers: () => Iterable<PodWorker>;
  /** Whether a pod of this uid belongs here, or still has something that runs. */
  readonly isKnown: (uid: string) => boolean;
  /** Ends what the runtime has of pods that nobody wants. */
  readonly adopt: () => Promise<void>;
}

/** What has to be done now and then: logs that grow, images that pile up, what crashes left behind. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #images: ImageGarbageCollector;
  readonly #repeated: Repeated[] = [];
  #stopped = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#images = new ImageGarbageCollector(options.env);
  }

  start(): void {
    const { config } = this.#options.env;
    this.#every('logs', config.containerLogMonitorIntervalMs, () => this.#rotateLogs());
    this.#every('images', config.imageGCPeriodMs, () => this.#images.collect());
    this.#every('orphans', config.housekeepingPeriodMs, async () => {
      await this.#options.adopt();
      await this.removeOrphans();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#repeated.map((one) => one.stop()));
  }

  /** Frees what can be freed at once: every image that nothing runs from. */
  async reclaimDisk(): Promise<void> {
    await this.#images.removeUnused();
  }

  /** Folders, logs and cgroups of pods that are no more. */
  async removeOrphans(): Promise<void> {
    const { env, isKnown } = this.#options;
    const { config, cgroups, volumes } = env;
    const uids = new Set([...(await cgroups.pods()), ...(await this.#list(`${config.rootDirectory}/pods`))]);
    for (const uid of uids) {
      if (isKnown(uid) || this.#stopped) continue;
      try {
        await volumes.remove(uid);
        await cgroups.remove(uid);
      } catch (error) {
        // One that cannot go yet does not keep the others; it is tried again.
        env.log.warn('what is left of a pod could not be removed', { uid, error });
      }
    }
    await this.#removeOrphanedLogs();
  }

  async #removeOrphanedLogs(): Promise<void> {
    const { env, isKnown } = this.#options;
    const { files } = env.host;
    const { podLogsDirectory, containerLogsDirectory } = env.config;
    for (const name of await this.#list(podLogsDirectory)) {
      // Nearly all of them are of pods that are here: what it is called is looked at only where it is of none.
      if (isKnown(name.slice(name.lastIndexOf('_') + 1))) continue;
      if (parsePodLogDirectory(name) && !this.#stopped) await files.remove(`${podLogsDirectory}/${name}`);
    }
    if (containerLogsDirectory === '') return;
    for (const name of await this.#list(containerLogsDirectory)) {
      const link = `${containerLogsDirectory}/${name}`;
      const target = await files.readLink(link).catch(() => '');
      // Links to other places were made by others.
      const uid = target.startsWith(`${podLogsDirectory}/`)
        ? parsePodLogDirectory(target.slice(podLogsDirectory.length + 1).split('/')[0] ?? '')?.uid
        : undefined;
      if (uid !== undefined && !isKnown(uid) && !this.#stopped) await files.remove(link);
    }
  }

  async #list(folder: string): Promise<string[]> {
    const { files } = this.#options.env.host;
    return (await files.statIfExists(folder)) ? files.list(folder) : [];
  }

  #every(what: string, periodMs: number, run: () => Promise<void>): void {
    const { clock, log } = this.#options.env;
    let failed = false;
    const repeated = new Repeated(clock, {
      run: async () => {
        failed = false;
        try {
          await run();
        } catch (error) {
          failed = true;
          if (!this.#stopped) log.warn('housekeeping failed', { what, error });
        }
      },
      delayMs: () => periodMs,
      upkeep: () => (failed ? undefined : 'check'),
    });
    this.#repeated.push(repeated);
    repeated.later();
  }

  async #rotateLogs(): Promise<void> {
    const { env, workers } = this.#options;
    const { host, cri, clock, config } = env;
    const options = {
      files: host.files,
      cri,
      nowMs: clock.now(),
      maxSizeBytes: config.containerLogMaxSizeBytes,
      maxFiles: config.containerLogMaxFiles,
    };
    let failure: unknown;
    for (const worker of workers()) {
      if (worker.settled) continue;
      for (const container of worker.observed.containers) {
        if (container.state !== 'running' || this.#stopped) continue;
        // One that cannot be moved does not keep the others.
        await rotateLog(container, options).catch((error: unknown) => {
          failure ??= error;
        });
      }
    }
    if (failure !== undefined) throw failure;
  }
}
