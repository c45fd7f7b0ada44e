import type { KubeletEnvironment } from '../environment.ts';
import type { PodApplier } from './apply.ts';
import { describePod, type NodePod } from './objects.ts';
import type { ObservedContainer } from './state.ts';

/** A container that could not be ended is tried again after so long. */
const RETRY_MS = 1_000;

export interface ContainerKillsOptions {
  readonly env: KubeletEnvironment;
  readonly applier: PodApplier;
  /** A kill is over, well or not: the container is to be looked at. */
  readonly over: (container: ObservedContainer) => void;
}

/** The containers of one pod that are being ended. */
export class ContainerKills {
  readonly #options: ContainerKillsOptions;
  readonly #under = new Map<string, { readonly deadlineMs: number; readonly abort: AbortController }>();

  constructor(options: ContainerKillsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#under.size;
  }

  /** Begins to end a container, or hastens an end that has begun; says whether it is the first to. */
  kill(pod: NodePod, container: ObservedContainer, options: { graceMs: number; podIp: string }): boolean {
    const { env, applier, over } = this.#options;
    const { graceMs, podIp } = options;
    const deadlineMs = env.clock.monotonic() + graceMs;
    const under = this.#under.get(container.id);
    if (under && under.deadlineMs <= deadlineMs + 1_000) return false;
    under?.abort.abort(new Error('it is to end sooner'));
    const abort = new AbortController();
    const kill = { deadlineMs, abort };
    this.#under.set(container.id, kill);
    void applier
      .killContainer(pod, container, { graceMs, podIp, signal: abort.signal })
      .catch(async (error: unknown) => {
        if (abort.signal.aborted) return;
        env.log.warn('a container could not be ended', { pod: describePod(pod), container: container.name, error });
        await env.clock.sleep(RETRY_MS, abort.signal).catch(() => {});
      })
      .finally(() => {
        if (this.#under.get(container.id) === kill) this.#under.delete(container.id);
        over(container);
      });
    return !under;
  }

  /** Waits for none of them any more: the runtime goes on with what it was told. */
  stop(reason: Error): void {
    for (const { abort } of this.#under.values()) abort.abort(reason);
  }
}
