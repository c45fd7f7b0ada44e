import { formatMicroTime, type Timer } from '../base/clock.ts';
import { BoundedQueue } from '../base/queue.ts';
import type { ApiObject, Live, ResourceRef } from '../kind/object.ts';
import { ApiError } from '../machinery/errors.ts';
import {
  EventNames,
  type EventRecorderOptions,
  type ObjectReference,
  QUEUED_EVENTS_MAX,
  referenceTo,
  type StoppableEventRecorder,
  sendEvent,
} from './event-sink.ts';

const events: ResourceRef<ApiObject> = {
  group: 'events.k8s.io',
  version: 'v1',
  resource: 'events',
  kind: 'Event',
  namespaced: true,
};

/** A series that nothing was added to for this long has ended: upstream's six minutes. */
const FINISHED_MS = 360_000;
/** A series that goes on is written anew this often. */
const REFRESH_MS = 1_800_000;
/** Longest `note` that the API takes, in bytes. */
const NOTE_BYTES_MAX = 1024;
/** Events that are remembered, so that their repetitions are told. */
const REMEMBERED_MAX = 4096;

interface Recorded {
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
  readonly action: string;
  readonly nowMs: number;
}

interface Series {
  readonly name: string;
  readonly namespace: string;
  /** 1: no series yet. */
  count: number;
  lastMs: number;
  writtenMs: number;
}

/** Writes events of `events.k8s.io`: the second of equal ones makes a series, further ones only lengthen it. */
export class EventSeriesRecorder implements StoppableEventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #names: EventNames;
  readonly #queue = new BoundedQueue<Recorded | Series>('events', QUEUED_EVENTS_MAX);
  readonly #series = new Map<string, Series>();
  readonly #stopped = new AbortController();
  #working: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#names = new EventNames(options.clock, options.component);
  }

  event(
    about: ApiObject | Live<ApiObject>,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    action = '',
    fieldPath?: string,
  ): void {
    if (this.#stopped.signal.aborted) return;
    const { clock, log } = this.#options;
    const recorded = {
      about: referenceTo(about, fieldPath),
      type,
      reason,
      note: cut(message),
      action,
      nowMs: clock.now(),
    };
    if (!this.#queue.offer(recorded)) log.warn('too many events: one was dropped', { reason, message });
    this.#working ??= this.#work();
  }

  async flushed(): Promise<void> {
    await this.#working;
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the recorder has stopped'));
    this.#timer?.cancel();
    this.#queue.close();
    this.#queue.drain();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (let [next] = this.#queue.drain(1); next; [next] = this.#queue.drain(1)) {
      try {
        await ('about' in next ? this.#write(next) : this.#writeSeries(next));
      } catch (error) {
        if (this.#stopped.signal.aborted) break;
        this.#options.log.debug('an event was refused', { error });
      }
    }
    this.#working = undefined;
  }

  async #write(recorded: Recorded): Promise<void> {
    const { about, type, reason, action, nowMs } = recorded;
    const { apiVersion, kind, namespace = 'default', uid = '', fieldPath = '' } = about;
    const id = `${apiVersion} ${kind} ${namespace}/${about.name} ${uid} ${fieldPath} ${type} ${reason} ${action}`;
    const known = this.#series.get(id);
    if (known && nowMs - known.lastMs >= FINISHED_MS) this.#end(id, known);
    else if (known) {
      known.count++;
      known.lastMs = nowMs;
      // Nobody is told of these one by one, but once in a while.
      if (known.count > 2) return this.#sweepLater();
      try {
        return await this.#writeSeries(known);
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 404) throw error;
        this.#series.delete(id);
      }
    }
    const name = this.#names.next(about.name);
    const { client, component, host } = this.#options;
    const { signal } = this.#stopped;
    const event = {
      metadata: { name, namespace },
      eventTime: formatMicroTime(nowMs),
      reportingController: component,
      reportingInstance: host ? `${component}-${host}` : component,
      action,
      reason,
      regarding: about,
      note: recorded.note,
      type,
    };
    if (
      await sendEvent(this.#options, signal, () =>
        client
          .resource(events)
          .namespace(namespace)
          .create(event as ApiObject, { signal }),
      )
    ) {
      this.#remember(id, { name, namespace, count: 1, lastMs: nowMs, writtenMs: nowMs });
    }
  }

  async #writeSeries(series: Series): Promise<void> {
    const { client, clock } = this.#options;
    const { signal } = this.#stopped;
    series.writtenMs = clock.now();
    const patch = { series: { count: series.count, lastObservedTime: formatMicroTime(series.lastMs) } };
    const resource = client.resource(events).namespace(series.namespace);
    await sendEvent(this.#options, signal, () => resource.patch(series.name, patch, { type: 'merge', signal }));
  }

  #remember(id: string, series: Series): void {
    this.#series.set(id, series);
    for (const oldest of this.#series.keys()) {
      if (this.#series.size <= REMEMBERED_MAX) break;
      this.#series.delete(oldest);
    }
  }

  #end(id: string, series: Series): void {
    this.#series.delete(id);
    if (isUnwritten(series)) this.#queue.offer(series);
  }

  /** Ends series that are over, and writes anew those that go on. Comes again while some is not written. */
  #sweep(): void {
    this.#timer = undefined;
    const nowMs = this.#options.clock.now();
    let waiting = false;
    for (const [id, series] of this.#series) {
      if (nowMs - series.lastMs >= FINISHED_MS) this.#end(id, series);
      else if (!isUnwritten(series)) continue;
      else if (nowMs - series.writtenMs >= REFRESH_MS) this.#queue.offer(series);
      else waiting = true;
    }
    if (this.#queue.length > 0) this.#working ??= this.#work();
    if (waiting) this.#sweepLater();
  }

  #sweepLater(): void {
    this.#timer ??= this.#options.clock.setTimer(() => this.#sweep(), FINISHED_MS);
  }
}

const isUnwritten = ({ count, lastMs, writtenMs }: Series): boolean => count > 2 && lastMs > writtenMs;

function cut(note: string): string {
  if (note.length * 3 <= NOTE_BYTES_MAX) return note;
  let bytes = 0;
  let out = '';
  for (const character of note) {
    bytes += new TextEncoder().encode(character).length;
    if (bytes > NOTE_BYTES_MAX) break;
    out += character;
  }
  return out;
}
