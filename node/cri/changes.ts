import type { Clock, Timer } from '../../libs/base/clock.ts';
import type { Logger } from '../../libs/base/log.ts';
import { type CriClient, isCode } from './cri.ts';
import type { Container, ContainerEventResponse, ContainerEventType, PodSandbox } from './schema.generated.ts';

/**
 * What changed in a runtime, as notices to look again: from the runtime's own events where it has them (containerd 2,
 * CRI-O), else from one listing an interval, compared with the one before.
 *
 * A notice says which pod to look at and why; it may come twice, and what it says may be history when it arrives. After a
 * start or a break everything that is there is told anew, so that nothing is missed that happened meanwhile.
 */
export interface RuntimeChange {
  readonly object: 'sandbox' | 'container';
  readonly change: 'created' | 'started' | 'stopped' | 'removed';
  readonly id: string;
  readonly podSandboxId: string;
  /** The uid in the sandbox's metadata; empty when the sandbox is not known (any more). */
  readonly podUid: string;
}

type SandboxView = { readonly ready: boolean; readonly podUid: string };
type ContainerView = { readonly state: 'created' | 'running' | 'stopped'; readonly podSandboxId: string };

/** What a listing says, as far as changes are concerned; by id. */
export interface RuntimeView {
  readonly sandboxes: ReadonlyMap<string, SandboxView>;
  readonly containers: ReadonlyMap<string, ContainerView>;
}

/** A view that is kept up to date. */
export interface OwnView {
  readonly sandboxes: Map<string, SandboxView>;
  readonly containers: Map<string, ContainerView>;
}

export function viewOf(sandboxes: readonly PodSandbox[], containers: readonly Container[]): OwnView {
  const view = { sandboxes: new Map<string, SandboxView>(), containers: new Map<string, ContainerView>() };
  for (const { id, state, metadata } of sandboxes)
    view.sandboxes.set(id, { ready: state === 'SANDBOX_READY', podUid: metadata?.uid ?? '' });
  for (const { id, state, podSandboxId } of containers)
    view.containers.set(id, { state: containerState(state), podSandboxId });
  return view;
}

/** A state that is not known counts as stopped: somebody has to look. */
function containerState(state: string): 'created' | 'running' | 'stopped' {
  return state === 'CONTAINER_CREATED' ? 'created' : state === 'CONTAINER_RUNNING' ? 'running' : 'stopped';
}

/** What leads from one view to the other, sandboxes first, in the order of the listings. */
export function diffViews(before: RuntimeView, after: RuntimeView): RuntimeChange[] {
  const changes: RuntimeChange[] = [];
  // Listings of much that has not changed are compared again and again: nothing is made for what is as it was.
  after.sandboxes.forEach(({ ready, podUid }, id) => {
    if (before.sandboxes.get(id)?.ready === ready) return;
    changes.push({ object: 'sandbox', change: ready ? 'started' : 'stopped', id, podSandboxId: id, podUid });
  });
  before.sandboxes.forEach(({ podUid }, id) => {
    if (!after.sandboxes.has(id)) changes.push({ object: 'sandbox', change: 'removed', id, podSandboxId: id, podUid });
  });
  const uidOf = (sandbox: string) => (after.sandboxes.get(sandbox) ?? before.sandboxes.get(sandbox))?.podUid ?? '';
  after.containers.forEach(({ state, podSandboxId }, id) => {
    if (before.containers.get(id)?.state === state) return;
    const change = state === 'running' ? 'started' : state;
    changes.push({ object: 'container', change, id, podSandboxId, podUid: uidOf(podSandboxId) });
  });
  before.containers.forEach(({ podSandboxId }, id) => {
    if (after.containers.has(id)) return;
    changes.push({ object: 'container', change: 'removed', id, podSandboxId, podUid: uidOf(podSandboxId) });
  });
  return changes;
}

const EVENT_CHANGES: Readonly<Record<ContainerEventType, RuntimeChange['change']>> = {
  CONTAINER_CREATED_EVENT: 'created',
  CONTAINER_STARTED_EVENT: 'started',
  CONTAINER_STOPPED_EVENT: 'stopped',
  CONTAINER_DELETED_EVENT: 'removed',
};

/** An event as a notice. `view` helps out where the event no longer knows the sandbox. */
export function changeOfEvent(event: ContainerEventResponse, view: RuntimeView): RuntimeChange {
  const id = event.containerId;
  const known = view.containers.get(id);
  const podSandboxId = event.podSandboxStatus?.id || known?.podSandboxId || (view.sandboxes.has(id) ? id : '');
  const podUid = event.podSandboxStatus?.metadata?.uid || view.sandboxes.get(podSandboxId)?.podUid || '';
  return {
    object: id === podSandboxId ? 'sandbox' : 'container',
    change: EVENT_CHANGES[event.containerEventType] ?? 'stopped',
    id,
    podSandboxId,
    podUid,
  };
}

/** Makes a view say a change, so that the listing that is compared with it next does not tell it again. */
export function applyChange(view: OwnView, { object, change, id, podSandboxId, podUid }: RuntimeChange): void {
  if (object === 'sandbox') {
    if (change === 'removed') view.sandboxes.delete(id);
    // A sandbox that was made and not started yet is listed as not ready or not at all.
    else if (change !== 'created') view.sandboxes.set(id, { ready: change === 'started', podUid });
  } else if (change === 'removed') view.containers.delete(id);
  else view.containers.set(id, { state: change === 'started' ? 'running' : change, podSandboxId });
}

export interface ChangeSourceOptions {
  readonly client: Pick<CriClient, 'listContainers' | 'listPodSandbox' | 'getContainerEvents'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Gets the notices of one event or listing, never an empty list. Must not throw. */
  readonly changed: (changes: readonly RuntimeChange[]) => void;
  /** Between two listings where there are no events. Default 1 s, as upstream. */
  readonly relistMs?: number;
  /** Between two listings that only make sure beside events. Default five minutes, as upstream. */
  readonly relistWithEventsMs?: number;
}

/** How long after a failed call the runtime is asked again. */
const RETRY_MS = 1_000;
/** A runtime without events says so at once; one that has said nothing for so long has them. */
const EVENTS_SETTLE_MS = 2_000;

/**
 * Runs until stopped. With events nothing happens while nothing happens; without them there is one timer.
 *
 *     const source = new ChangeSource({ client, clock, log, changed: (changes) => pods.look(changes) });
 *     source.start();
 */
export class ChangeSource {
  readonly #options: ChangeSourceOptions;
  readonly #abort = new AbortController();
  #view: OwnView = viewOf([], []);
  #timer: Timer | undefined;
  #listing: Promise<void> | undefined;
  #again = false;
  #hasEvents = false;
  #reading: Promise<void> | undefined;
  #retry: Timer | undefined;
  #lastListedMs: number | undefined;
  #failing = false;

  constructor(options: ChangeSourceOptions) {
    this.#options = options;
  }

  /**
   * `monotonic` since when the runtime owes a listing: now, where none is asked for; undefined before the first. A runtime
   * that hangs shows here.
   */
  get listedMs(): number | undefined {
    const isOwed = this.#failing || this.#listing !== undefined;
    return isOwed || this.#lastListedMs === undefined ? this.#lastListedMs : this.#options.clock.monotonic();
  }

  get hasEvents(): boolean {
    return this.#hasEvents;
  }

  get view(): RuntimeView {
    return this.#view;
  }

  start(): void {
    this.#reading ??= this.#readEvents();
    this.poke();
  }

  /** Lists now, or once more after the listing that is under way: for who has just changed something. */
  poke(): void {
    if (this.#abort.signal.aborted) return;
    if (this.#listing) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#listing = this.#list().finally(() => {
      this.#listing = undefined;
      if (this.#again) {
        this.#again = false;
        this.poke();
      } else this.#schedule();
    });
  }

  /** Resolves when nothing is under way any more. Idempotent. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the source was stopped'));
    this.#timer?.cancel();
    this.#retry?.cancel();
    await Promise.allSettled([this.#listing, this.#reading]);
  }

  #schedule(): void {
    if (this.#abort.signal.aborted) return;
    const { clock, relistMs = 1_000, relistWithEventsMs = 300_000 } = this.#options;
    this.#timer?.cancel();
    const delayMs = this.#failing ? RETRY_MS : this.#hasEvents ? relistWithEventsMs : relistMs;
    this.#timer = clock.setTimer(() => this.poke(), delayMs, { upkeep: this.#failing ? undefined : 'check' });
  }

  async #list(): Promise<void> {
    const { client, clock, log } = this.#options;
    const { signal } = this.#abort;
    try {
      const [sandboxes, containers] = await Promise.all([
        client.listPodSandbox({}, { signal }),
        client.listContainers({}, { signal }),
      ]);
      const next = viewOf(sandboxes.items, containers.containers);
      const changes = diffViews(this.#view, next);
      this.#view = next;
      this.#lastListedMs = clock.monotonic();
      if (this.#failing) {
        log.info('the container runtime answers again');
        // It may be another version now, with events.
        if (!this.#reading) this.#reading = this.#readEvents();
      }
      this.#failing = false;
      if (changes.length > 0 && !signal.aborted) this.#options.changed(changes);
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#failing) log.warn('the container runtime does not list its containers', { error });
      this.#failing = true;
    }
  }

  async #readEvents(): Promise<void> {
    const { client, clock, log } = this.#options;
    const { signal } = this.#abort;
    const settled = clock.setTimer(() => this.#eventsWork(true), EVENTS_SETTLE_MS);
    let missing = false;
    try {
      for await (const event of client.getContainerEvents({}, { signal })) {
        this.#eventsWork(true);
        const change = changeOfEvent(event, this.#view);
        applyChange(this.#view, change);
        this.#options.changed([change]);
      }
    } catch (error) {
      missing = isCode(error, 'UNIMPLEMENTED');
      if (this.#hasEvents && !signal.aborted) log.warn('the events of the container runtime broke off', { error });
    }
    settled.cancel();
    this.#reading = undefined;
    if (signal.aborted) return;
    this.#eventsWork(false);
    if (missing) return;
    this.#retry = clock.setTimer(() => {
      this.#reading ??= this.#readEvents();
    }, RETRY_MS);
  }

  #eventsWork(work: boolean): void {
    if (this.#hasEvents === work) return;
    this.#hasEvents = work;
    // What happened between the last listing and this moment is in no event.
    this.poke();
  }
}
