import { formatTime } from '../base/clock.ts';
import { BoundedQueue } from '../base/queue.ts';
import type { ApiObject, Live, ResourceRef } from '../kind/object.ts';
import { ApiError } from '../machinery/errors.ts';
import { EventCorrelator } from './event-correlator.ts';
import { EventSeriesRecorder } from './event-series.ts';
import {
  EventNames,
  type EventRecorderOptions,
  type ObjectReference,
  QUEUED_EVENTS_MAX,
  referenceTo,
  type StoppableEventRecorder,
  sendEvent,
} from './event-sink.ts';

export type { EventRecorderOptions, StoppableEventRecorder } from './event-sink.ts';

/** Events of the core group, as controllers and kubelets write them: equal ones are counted. */
export function createEventRecorder(options: EventRecorderOptions): StoppableEventRecorder {
  return new CoreEventRecorder(options);
}

/** Events of `events.k8s.io`, as the scheduler writes them: repetitions become a series. */
export function createSeriesEventRecorder(options: EventRecorderOptions): StoppableEventRecorder {
  return new EventSeriesRecorder(options);
}

interface CoreEvent extends ApiObject {
  count?: number;
  lastTimestamp?: string;
  message?: string;
}

const coreEvents: ResourceRef<CoreEvent> = {
  group: '',
  version: 'v1',
  resource: 'events',
  kind: 'Event',
  namespaced: true,
};

interface Recorded {
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly timestamp: string;
}

class CoreEventRecorder implements StoppableEventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #correlator: EventCorrelator;
  readonly #names: EventNames;
  readonly #queue = new BoundedQueue<Recorded>('events', QUEUED_EVENTS_MAX);
  readonly #stopped = new AbortController();
  #working: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#correlator = new EventCorrelator(options.clock);
    this.#names = new EventNames(options.clock, options.component);
  }

  event(
    about: ApiObject | Live<ApiObject>,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    _action?: string,
    fieldPath?: string,
  ): void {
    if (this.#stopped.signal.aborted) return;
    const { clock, log } = this.#options;
    const recorded = {
      about: referenceTo(about, fieldPath),
      type,
      reason,
      message,
      timestamp: formatTime(clock.now()),
    };
    if (!this.#queue.offer(recorded)) log.warn('too many events: one was dropped', { reason, message });
    this.#working ??= this.#work();
  }

  async flushed(): Promise<void> {
    await this.#working;
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the recorder has stopped'));
    this.#queue.close();
    this.#queue.drain();
    await this.#working;
  }

  /** Writes what waits, one after the other: events about one object stay in their order. */
  async #work(): Promise<void> {
    for (let [recorded] = this.#queue.drain(1); recorded; [recorded] = this.#queue.drain(1)) {
      try {
        await this.#write(recorded);
      } catch (error) {
        if (this.#stopped.signal.aborted) break;
        // The object's namespace goes away, or events are not allowed here: trying again would not help.
        this.#options.log.debug('an event was refused', { reason: recorded.reason, error });
      }
    }
    this.#working = undefined;
  }

  async #write(recorded: Recorded): Promise<void> {
    const { about, type, reason, timestamp } = recorded;
    const { kind, namespace = '', name, uid = '', apiVersion, fieldPath = '' } = about;
    const decided = this.#correlator.decide({
      about: `${apiVersion} ${kind} ${namespace}/${name} ${uid}`,
      fieldPath,
      type,
      reason,
      message: recorded.message,
    });
    if (decided.write === 'nothing') return;
    const events = this.#options.client.resource(coreEvents).namespace(namespace || 'default');
    const { signal } = this.#stopped;
    const { message, count } = decided;
    if (decided.write === 'count') {
      const patch = { count, lastTimestamp: timestamp, message };
      try {
        const done = await sendEvent(this.#options, signal, () =>
          events.patch(decided.name, patch, { type: 'merge', signal }),
        );
        if (done) return;
      } catch (error) {
        // Events live for an hour; one that has gone is written anew.
        if (!(error instanceof ApiError) || error.code !== 404) throw error;
      }
    }
    const eventName = this.#names.next(name);
    const firstTimestamp = decided.write === 'count' ? decided.firstTimestamp : timestamp;
    const event = this.#made(recorded, eventName, message, count, firstTimestamp);
    const made = await sendEvent(this.#options, signal, () => events.create(event as CoreEvent, { signal }));
    if (made) this.#correlator.written(decided.id, eventName, firstTimestamp, count);
  }

  #made(
    { about, type, reason, timestamp }: Recorded,
    name: string,
    message: string,
    count: number,
    firstTimestamp: string,
  ): object {
    const { component, host } = this.#options;
    return {
      kind: coreEvents.kind,
      apiVersion: coreEvents.version,
      metadata: { name, namespace: about.namespace ?? 'default' },
      involvedObject: about,
      reason,
      message,
      source: { component, ...(host ? { host } : {}) },
      firstTimestamp,
      lastTimestamp: timestamp,
      count,
      type,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }
}
