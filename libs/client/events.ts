import { formatTime } from '../base/clock.ts';
import type { ApiObject, Live, ResourceRef } from '../kind/object.ts';
import { ApiError } from '../machinery/errors.ts';
import { EventCorrelator } from './event-correlator.ts';
import { EventSeriesRecorder } from './event-series.ts';
import {
  EventNames,
  EventQueue,
  type EventRecorderOptions,
  type ObjectReference,
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
  #correlator: EventCorrelator | undefined;
  #names: EventNames | undefined;
  readonly #queue: EventQueue<Recorded>;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#queue = new EventQueue(options.log, (recorded, signal) => this.#write(recorded, signal));
  }

  event(
    about: ApiObject | Live<ApiObject>,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    _action?: string,
    fieldPath?: string,
  ): void {
    if (this.#queue.isStopped) return;
    const timestamp = formatTime(this.#options.clock.now());
    this.#queue.offer({ about: referenceTo(about, fieldPath), type, reason, message, timestamp });
  }

  flushed(): Promise<void> {
    return this.#queue.flushed();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #write(recorded: Recorded, signal: AbortSignal): Promise<void> {
    const { about, type, reason, timestamp } = recorded;
    const { kind, namespace = '', name, uid = '', apiVersion, fieldPath = '' } = about;
    this.#correlator ??= new EventCorrelator(this.#options.clock);
    this.#names ??= new EventNames(this.#options.clock, this.#options.component);
    const decided = this.#correlator.decide({
      about: `${apiVersion} ${kind} ${namespace}/${name} ${uid}`,
      fieldPath,
      type,
      reason,
      message: recorded.message,
    });
    if (decided.write === 'nothing') return;
    const events = this.#options.client.resource(coreEvents).namespace(namespace || 'default');
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
