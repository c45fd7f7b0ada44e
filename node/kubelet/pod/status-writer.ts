import { pods } from '../../../api/resources.ts';
import type { PodStatus } from '../../../api/types/core/v1.generated.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Client } from '../../../libs/kind/client.ts';
import { jsonEqual } from '../../../libs/machinery/json-equal.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from './objects.ts';
import { isReplaced } from './replaced.ts';
import { isSmallNews, type StatusPatch, statusPatch } from './status.ts';

interface Entry {
  /** Makes the status that is to be written. */
  wanted: (() => PodStatus) | undefined;
  /** The object as the API has it, as far as is known. */
  pod: NodePod;
  writing: Promise<void> | undefined;
  /** There is more to say, or somebody waits until all is said. */
  more: PromiseWithResolvers<void>;
  /** Nothing waits for more any longer. */
  hurried: boolean;
  /** The one write that is under way; never rejects. */
  asked?: Promise<void> | undefined;
  /** The revision that the last write made. */
  madeRevision?: string | undefined;
}

/** What changes within so short a time is one write: a pod whose containers start at once is told of once. */
const TOGETHER_MS = 1;
/**
 * How long news that nobody acts upon waits for more: as upstream, which looks at containers once a second, shows the
 * address of a pod together with its first container where that is started at once.
 */
const SMALL_NEWS_MS = 1_000;
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;

/** Writes pods' statuses to the API: per pod one at a time, of several the last, and only what differs. */
export class StatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #stopped = new AbortController();

  constructor(client: Client, clock: Clock, log: Logger) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * `pod`: as the API has it (for a static pod, its mirror). Returns at once; `status` is asked when it is written, with
   * what is known by then.
   */
  set(pod: NodePod, status: () => PodStatus): void {
    const uid = uidOf(pod);
    const entry = this.#entries.get(uid) ?? newEntry(pod);
    this.#entries.set(uid, entry);
    if (isNewer(pod, entry.pod)) entry.pod = pod;
    entry.wanted = status;
    entry.more.resolve();
    entry.writing ??= this.#write(entry).finally(() => {
      entry.writing = undefined;
    });
  }

  /** The newest object that is known, with what was written by this node. */
  latest(pod: NodePod): NodePod {
    const known = this.#entries.get(uidOf(pod))?.pod;
    return known && isNewer(known, pod) ? known : pod;
  }

  /** Whether this revision of the pod is what a write of this node made. */
  async wrote(pod: NodePod): Promise<boolean> {
    const entry = this.#entries.get(uidOf(pod));
    if (entry?.asked) await entry.asked;
    return entry?.madeRevision !== undefined && entry.madeRevision === pod.metadata?.resourceVersion;
  }

  /** Resolves when nothing waits to be written for the pod; what waits is written at once. */
  async flushed(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    entry.hurried = true;
    entry.more.resolve();
    await entry.writing;
    entry.hurried = false;
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry) entry.wanted = undefined;
    entry?.more.resolve();
    this.#entries.delete(uid);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the kubelet stops'));
    for (const { more } of this.#entries.values()) more.resolve();
    await Promise.all(Array.from(this.#entries.values(), ({ writing }) => writing));
    this.#entries.clear();
  }

  async #write(entry: Entry): Promise<void> {
    const { signal } = this.#stopped;
    for (let failures = 0; entry.wanted && !signal.aborted; ) {
      if (failures === 0) await this.#clock.sleep(TOGETHER_MS, signal).catch(() => {});
      const patch = await this.#patch(entry);
      const status = entry.wanted;
      entry.wanted = undefined;
      if (!patch || !status) continue;
      try {
        const { pod } = entry;
        const answer = this.#client
          .resource(pods)
          .namespace(namespaceOf(pod))
          .subresource('status')
          .patch(nameOf(pod), patch, { type: 'strategic', signal });
        const written = (made: NodePod) => {
          // A write that changed nothing made no revision: who did, did it for us to see.
          if (made.metadata?.resourceVersion !== pod.metadata?.resourceVersion)
            entry.madeRevision = made.metadata?.resourceVersion;
          entry.asked = undefined;
        };
        entry.asked = answer.then(written, () => {
          entry.asked = undefined;
        });
        entry.pod = await answer;
        failures = 0;
      } catch (error) {
        // Gone, or another pod under its name: nobody is left to be told.
        if (signal.aborted || (await isReplaced(this.#client, entry.pod, error, signal))) return;
        const log = failures++ === 0 ? 'warn' : 'debug';
        this.#log[log]('the status of a pod could not be written', { pod: nameOf(entry.pod), error });
        entry.wanted ??= status;
        await this.#clock.sleep(Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (failures - 1)), signal).catch(() => {});
      }
    }
  }

  /** What there is to write, once it is enough; undefined: nothing. */
  async #patch(entry: Entry): Promise<StatusPatch | undefined> {
    const untilMs = this.#clock.monotonic() + SMALL_NEWS_MS;
    for (;;) {
      const patch = entry.wanted && statusPatch(entry.pod, entry.wanted(), jsonEqual);
      const leftMs = untilMs - this.#clock.monotonic();
      if (!patch || !isSmallNews(entry.pod, patch) || entry.hurried || leftMs <= 0) return patch;
      if (this.#stopped.signal.aborted) return undefined;
      entry.more = Promise.withResolvers();
      const timer = this.#clock.setTimer(entry.more.resolve, leftMs);
      await entry.more.promise;
      timer.cancel();
    }
  }
}

const newEntry = (pod: NodePod): Entry => ({
  wanted: undefined,
  pod,
  writing: undefined,
  more: Promise.withResolvers(),
  hurried: false,
});

/** Revisions of one object can be compared as numbers. */
function isNewer(a: NodePod, b: NodePod): boolean {
  const [x, y] = [a.metadata?.resourceVersion ?? '0', b.metadata?.resourceVersion ?? '0'];
  return x.length !== y.length ? x.length > y.length : x > y;
}
