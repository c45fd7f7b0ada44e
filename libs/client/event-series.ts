import { formatMicroTime, type Timer } from '../base/clock.ts';
import type { ApiObject, Live, ResourceRef } from '../kind/object.ts';
import { ApiError } from '../machinery/errors.ts';
import {
  EventNames,
  EventQueue,
  type EventRecorderOptions,
  type ObjectReference,
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
  readonly reason: string;
  /** 1: no series yet. */
  count: number;
  lastMs: number;
  writtenMs: number;
}

/** Writes events of `events.k8s.io`: the second of equal ones makes a series, further ones only lengthen it. */
export class EventSeriesRecorder implements StoppableEventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #names: EventNames;
  readonly #queue: EventQueue<Recorded | Series>;
  readonly #series = new Map<string, Series>();
  #timer: Timer | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#names = new EventNames(options.clock, options.component);
    this.#queue = new EventQueue(options.log, (next, signal) =>
      'about' in next ? this.#write(next, signal) : this.#writeSeries(next, signal),
    );
  }

  event(
    about: ApiObject | Live<ApiObject>,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    action = '',
    fieldPath?: string,
  ): void {
    if (this.#queue.isStopped) return;
    const nowMs = this.#options.clock.now();
    this.#queue.offer({ about: referenceTo(about, fieldPath), type, reason, note: cut(message), action, nowMs });
  }

  flushed(): Promise<void> {
    return this.#queue.flushed();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return this.#queue.stop();
  }

  async #write(recorded: Recorded, signal: AbortSignal): Promise<void> {
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
        return await this.#writeSeries(known, signal);
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 404) throw error;
        this.#series.delete(id);
      }
    }
    const name = this.#names.next(about.name);
    const { client, component, host } = this.#options;
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
      this.#remember(id, { name, namespace, reason, count: 1, lastMs: nowMs, writtenMs: nowMs });
    }
  }

  async #writeSeries(series: Series, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
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
