import type { Timer } from '../../../libs/base/clock.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { describePod, type NodePod, uidOf } from './objects.ts';

export interface VolumeRefreshOptions {
  readonly env: KubeletEnvironment;
  /** As it is now. */
  readonly pod: () => NodePod;
  /** Nothing is refreshed any more. */
  readonly over: () => boolean;
  /** Brings the volumes up to date; undefined while the pod is not so far, or something else of it is under way. */
  readonly refresh: () => Promise<unknown> | undefined;
}

/** Mounted objects are looked at again now and then, for as long as the pod runs. */
export class VolumeRefresh {
  readonly #options: VolumeRefreshOptions;
  #timer: Timer | undefined;
  /** Rings when something is over that has to be asked for anew. */
  #renewal: Timer | undefined;
  #under = false;
  #soon = false;
  #failed = false;

  constructor(options: VolumeRefreshOptions) {
    this.#options = options;
  }

  /** Begins, where the pod has volumes that may change and nobody has begun yet. */
  begin(): void {
    const { env, pod } = this.#options;
    if (!this.#timer && env.volumes.changes(pod())) this.#again(env.config.syncFrequencyMs);
  }

  /** What volumes show of the pod has changed. Nothing happens before `begin`. */
  hurry(): void {
    if (!this.#timer) return;
    if (this.#under) this.#soon = true;
    else if (!this.#options.over()) this.#again(0);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#renewal?.cancel();
  }

  #again(delayMs: number): void {
    const { env, pod } = this.#options;
    this.stop();
    // A container that looks whenever something happens finds no token that is over.
    const overInMs = env.volumes.overInMs(uidOf(pod())) ?? Number.POSITIVE_INFINITY;
    const upkeep = this.#failed || !(overInMs > 0) ? undefined : 'check';
    this.#timer = env.clock.setTimer(() => void this.#refresh(), delayMs, { upkeep });
    if (upkeep && overInMs < Number.POSITIVE_INFINITY)
      this.#renewal = env.clock.setTimer(() => void this.#refresh(), overInMs, { upkeep: 'beat' });
  }

  async #refresh(): Promise<void> {
    const { env, pod, over, refresh } = this.#options;
    if (over()) return;
    this.#soon = this.#failed = false;
    this.#under = true;
    try {
      await refresh();
    } catch (error) {
      this.#failed = true;
      env.log.warn('mounted objects could not be brought up to date', { pod: describePod(pod()), error });
    }
    this.#under = false;
    if (!over()) this.#again(this.#soon ? 0 : env.config.syncFrequencyMs);
  }
}
