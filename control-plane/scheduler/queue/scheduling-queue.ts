import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { ClusterEvent } from '../framework/events.ts';
import { KeyedHeap } from './heap.ts';

export interface QueueOptions {
  readonly clock: Clock;
  /** The order of pods that are ready. */
  readonly compare: (a: QueuedPod, b: QueuedPod) => number;
  /** Whether an event could help a pod that these plugins refused. */
  readonly helps: (pod: PodInfo, refusedBy: ReadonlySet<string>, event: ClusterEvent) => boolean;
  /** Something can be popped that could not before. */
  readonly ready: () => void;
  /** A pod has come to one of the places, `reason`: an event in upstream's words. */
  readonly came?: (reason: string, place: 'active' | 'backoff' | 'unschedulable') => void;
}

export interface QueuedPod {
  /** The pod's uid. */
  readonly key: string;
  readonly pod: PodInfo;
  readonly addedMs: number;
  readonly sequence: number;
  /** When its first cycle was over; undefined before. */
  readonly triedMs: number | undefined;
  /** Cycles that it took part in without getting a node. */
  readonly attempts: number;
  /** When its back-off ends. */
  readonly backoffUntilMs: number;
  readonly refusedBy: ReadonlySet<string>;
  /** When it became unschedulable. */
  readonly sinceMs: number;
  /** The last attempt ended in an error, so that it must sit its back-off out. */
  readonly failed: boolean;
}

const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 10_000;
/** A pod that no event has brought back is tried again after this long all the same. */
const FLUSH_MS = 300_000;
const FLUSH_EVERY_MS = 30_000;
const NOBODY: ReadonlySet<string> = new Set();

/** Why pods come to a place, as upstream's metrics say it. */
const POD_ADD = 'UnschedulablePodAdd';
const POD_UPDATE = 'UnschedulablePodUpdate';
const FAILURE = 'ScheduleAttemptFailure';
const BACKOFF_COMPLETE = 'BackoffComplete';
const UNSCHEDULABLE_TIMEOUT = 'UnschedulableTimeout';
const ACTIONS = { add: 'Add', update: 'Update', delete: 'Delete' } as const;

/**
 * Pods that wait for a node, in one of three places:
 *
 *     active          ready; the most important first
 *     backoff         worth another try, but tried a short while ago; taken when nothing is active, unless it failed
 *     unschedulable   waits for an event that could help it, or five minutes
 *
 * The queue is bounded by the number of pods. Its one timer runs only while a pod waits for a time.
 */
export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #active: KeyedHeap<QueuedPod>;
  readonly #backoff = new KeyedHeap<QueuedPod>(
    (a, b) => a.backoffUntilMs - b.backoffUntilMs || a.sequence - b.sequence,
  );
  readonly #unschedulable = new Map<string, QueuedPod>();
  #sequence = 0;
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#active = new KeyedHeap(options.compare);
  }

  get length(): number {
    return this.#active.size + this.#backoff.size + this.#unschedulable.size;
  }

  /** How many pods wait in each place; `gated`: those that a plugin has not let in yet. */
  counts(): Readonly<Record<'active' | 'backoff' | 'unschedulable' | 'gated', number>> {
    let gated = 0;
    for (const waiting of this.#unschedulable.values()) if (isGated(waiting)) gated++;
    const unschedulable = this.#unschedulable.size - gated;
    return { active: this.#active.size, backoff: this.#backoff.size, unschedulable, gated };
  }

  /** How many pods each plugin keeps waiting, by profile. */
  refusals(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    const profiles = new Map<string, Map<string, number>>();
    for (const { pod, refusedBy } of this.#unschedulable.values()) {
      let plugins = profiles.get(pod.schedulerName);
      if (!plugins) profiles.set(pod.schedulerName, (plugins = new Map()));
      for (const plugin of refusedBy) plugins.set(plugin, (plugins.get(plugin) ?? 0) + 1);
    }
    return profiles;
  }

  /** Where the pod waits. */
  placeOf(uid: string): 'active' | 'backoff' | 'unschedulable' | undefined {
    if (this.#active.get(uid)) return 'active';
    if (this.#backoff.get(uid)) return 'backoff';
    return this.#unschedulable.has(uid) ? 'unschedulable' : undefined;
  }

  /** A pod that is new; `refusedBy`: the plugin that does not let it into the queue yet. */
  add(pod: PodInfo, refusedBy?: string): void {
    if (this.#closed) return;
    const nowMs = this.#options.clock.monotonic();
    const queued: QueuedPod = {
      key: pod.uid,
      pod,
      addedMs: nowMs,
      sequence: this.#sequence++,
      triedMs: undefined,
      attempts: 0,
      backoffUntilMs: 0,
      refusedBy: refusedBy ? new Set([refusedBy]) : NOBODY,
      sinceMs: nowMs,
      failed: false,
    };
    this.delete(pod.uid);
    if (!refusedBy) return this.#activate(queued, POD_ADD);
    this.#unschedulable.set(queued.key, queued);
    this.#options.came?.(POD_ADD, 'unschedulable');
  }

  /** The pod has changed: its new form is tried, and where `helps` says so at once. Unknown pods are added. */
  update(pod: PodInfo, event: ClusterEvent, refusedBy?: string): void {
    const active = this.#active.get(pod.uid);
    if (active) {
      this.#active.push({ ...active, pod });
      return;
    }
    const backoff = this.#backoff.get(pod.uid);
    if (backoff) {
      this.#backoff.push({ ...backoff, pod });
      return;
    }
    const waiting = this.#unschedulable.get(pod.uid);
    if (!waiting) return this.add(pod, refusedBy);
    const changed = { ...waiting, pod };
    if (refusedBy) this.#unschedulable.set(pod.uid, { ...changed, refusedBy: new Set([refusedBy]) });
    else if (this.#options.helps(pod, waiting.refusedBy, event)) {
      this.#unschedulable.delete(pod.uid);
      this.#requeue(changed, reasonOf(event));
    } else this.#unschedulable.set(pod.uid, changed);
  }

  delete(uid: string): void {
    this.#active.delete(uid);
    this.#backoff.delete(uid);
    this.#unschedulable.delete(uid);
  }

  /** The next pod to try; it is the caller's until it is given back with `unschedulable` or `failed`, or for good. */
  pop(): QueuedPod | undefined {
    const active = this.#active.pop();
    if (active) return active;
    const waiting = this.#backoff.peek();
    // With nothing else to do there is nothing to wait for.
    return waiting && !waiting.failed ? this.#backoff.pop() : undefined;
  }

  /** The cycle found no node. Without plugins that could tell when to come back, it comes back by itself. */
  unschedulable(queued: QueuedPod, pod: PodInfo, refusedBy: ReadonlySet<string>): void {
    if (this.#closed) return;
    const waiting = this.#attempted(queued, pod, false);
    this.#unschedulable.set(pod.uid, { ...waiting, refusedBy });
    this.#options.came?.(FAILURE, 'unschedulable');
    this.#plan(waiting.sinceMs + FLUSH_MS);
  }

  /** Something went wrong that may go right the next time. */
  failed(queued: QueuedPod, pod: PodInfo): void {
    if (this.#closed) return;
    this.#requeue(this.#attempted(queued, pod, true), FAILURE);
  }

  #attempted(queued: QueuedPod, pod: PodInfo, failed: boolean): QueuedPod {
    const nowMs = this.#options.clock.monotonic();
    const attempts = queued.attempts + 1;
    const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** (attempts - 1), BACKOFF_MAX_MS);
    const triedMs = queued.triedMs ?? nowMs;
    return { ...queued, pod, triedMs, attempts, backoffUntilMs: nowMs + backoffMs, sinceMs: nowMs, failed };
  }

  /** Something has changed: pods that it could help come back. */
  event(event: ClusterEvent): void {
    if (this.#unschedulable.size === 0) return;
    for (const [uid, waiting] of this.#unschedulable) {
      // A pod that waited for nobody in particular (there was no node) waits for anything.
      if (waiting.refusedBy.size > 0 && !this.#options.helps(waiting.pod, waiting.refusedBy, event)) continue;
      this.#unschedulable.delete(uid);
      this.#requeue(waiting, reasonOf(event));
    }
  }

  /** Gives pods that did not enter the queue another chance; `admitted` says which may. */
  admit(admitted: (pod: PodInfo) => boolean): void {
    for (const [uid, waiting] of this.#unschedulable) {
      if (waiting.attempts > 0 || !admitted(waiting.pod)) continue;
      this.#unschedulable.delete(uid);
      this.#activate(waiting, POD_UPDATE);
    }
  }

  #requeue(queued: QueuedPod, reason: string): void {
    if (queued.backoffUntilMs <= this.#options.clock.monotonic()) return this.#activate(queued, reason);
    this.#backoff.push(queued);
    this.#options.came?.(reason, 'backoff');
    this.#plan(queued.backoffUntilMs);
    if (!queued.failed) this.#options.ready();
  }

  #activate(queued: QueuedPod, reason: string): void {
    this.#active.push(queued);
    this.#options.came?.(reason, 'active');
    this.#options.ready();
  }

  #plan(dueMs: number): void {
    if (this.#closed || dueMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = dueMs;
    const { clock } = this.#options;
    this.#timer = clock.setTimer(() => this.#flush(), Math.max(0, dueMs - clock.monotonic()));
  }

  #flush(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#options.clock.monotonic();
    for (let next = this.#backoff.peek(); next && next.backoffUntilMs <= nowMs; next = this.#backoff.peek()) {
      this.#backoff.delete(next.key);
      this.#activate(next, BACKOFF_COMPLETE);
    }
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const [uid, waiting] of this.#unschedulable) {
      // Those that never entered wait for their gate, not for time.
      if (waiting.attempts === 0) continue;
      if (waiting.sinceMs + FLUSH_MS <= nowMs) {
        this.#unschedulable.delete(uid);
        this.#activate(waiting, UNSCHEDULABLE_TIMEOUT);
      } else oldestMs = Math.min(oldestMs, waiting.sinceMs);
    }
    const next = this.#backoff.peek();
    if (next) this.#plan(next.backoffUntilMs);
    if (oldestMs < Number.POSITIVE_INFINITY) this.#plan(Math.max(oldestMs + FLUSH_MS, nowMs + FLUSH_EVERY_MS));
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}

function reasonOf({ kind, action }: ClusterEvent): string {
  if (action === 'self') return POD_UPDATE;
  return `${kind === 'Pod' ? 'AssignedPod' : kind}${ACTIONS[action]}`;
}

/** It has not taken part in a cycle, as a plugin does not let it in. */
const isGated = ({ attempts, refusedBy }: QueuedPod): boolean => attempts === 0 && refusedBy.size > 0;
