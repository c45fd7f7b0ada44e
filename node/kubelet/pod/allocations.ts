import type { Files } from '../../../libs/base/host.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Allocation, Resources } from './resize.ts';

/**
 * What pods that were resized have been given, kept across restarts of the kubelet in `allocated_pods_state`. Pods that
 * never were resized are not in it: their containers themselves tell what they were made with.
 */
export class Allocations {
  readonly #path: string;
  readonly #files: Files;
  readonly #log: Logger;
  readonly #pods = new Map<string, Allocation>();
  #writing: Promise<void> = Promise.resolve();

  constructor(files: Files, rootDirectory: string, log: Logger) {
    this.#files = files;
    this.#path = `${rootDirectory}/allocated_pods_state`;
    this.#log = log;
  }

  /** Reads what an earlier kubelet wrote. What cannot be understood counts as nothing. */
  async start(): Promise<void> {
    const text = await this.#files.readTextIfExists(this.#path);
    if (text === undefined) return;
    try {
      const { pods } = JSON.parse(text) as { pods: Record<string, Record<string, Resources>> };
      for (const [uid, containers] of Object.entries(pods)) this.#pods.set(uid, new Map(Object.entries(containers)));
    } catch (error) {
      this.#log.warn('what pods were allocated could not be read', { path: this.#path, error });
    }
  }

  of(uid: string): Allocation | undefined {
    return this.#pods.get(uid);
  }

  /** Durable when it resolves. */
  async set(uid: string, allocation: Allocation): Promise<void> {
    this.#pods.set(uid, allocation);
    await this.#write();
  }

  async remove(uid: string): Promise<void> {
    if (this.#pods.delete(uid)) await this.#write();
  }

  #write(): Promise<void> {
    const next = this.#writing.then(async () => {
      const pods = Object.fromEntries(
        Array.from(this.#pods, ([uid, containers]) => [uid, Object.fromEntries(containers)] as const),
      );
      await this.#files.write(this.#path, JSON.stringify({ pods }));
    });
    this.#writing = next.catch(() => {});
    return next;
  }
}
