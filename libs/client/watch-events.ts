import type { WatchEvent } from '../kind/client.ts';
import type { ApiObject, DeepReadonly } from '../kind/object.ts';
import { apiErrorOf } from './api-error.ts';
import type { Transport, TransportRequest, TransportWatch, TransportWatchSink } from './transport.ts';

/** Events that wait for a slow loop, before the sender is asked to wait. */
const BUFFERED_EVENTS = 256;

/**
 * A watch as a loop over its events. It begins with the first turn of the loop and ends with it, also by `break`. An
 * ERROR event is thrown as `ApiError`.
 */
export async function* watchEvents<T extends ApiObject>(
  transport: Transport,
  request: TransportRequest,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  request.signal?.throwIfAborted();
  const buffer = new EventBuffer<T>();
  const watch: TransportWatch = await transport.watch(request, buffer);
  const abort = () => buffer.ended(undefined);
  request.signal?.addEventListener('abort', abort, { once: true });
  // It may have come while the answer was on its way back.
  if (request.signal?.aborted) abort();
  try {
    for (let event = await buffer.take(); event; event = await buffer.take()) yield event;
  } finally {
    request.signal?.removeEventListener('abort', abort);
    watch.close();
  }
}

class EventBuffer<T extends ApiObject> implements TransportWatchSink {
  #events: WatchEvent<T>[] = [];
  #over = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #room: { promise: Promise<void>; open: () => void } | undefined;

  event(type: string, object: DeepReadonly<ApiObject>): void {
    if (this.#over) return;
    if (type === 'ERROR') return this.ended(apiErrorOf(500, object));
    this.#events.push({ type, object } as WatchEvent<T>);
    this.#wake?.();
  }

  ended(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake?.();
  }

  room(): Promise<void> | undefined {
    if (this.#over || this.#events.length < BUFFERED_EVENTS) return undefined;
    if (!this.#room) {
      let open = (): void => {};
      const promise = new Promise<void>((resolve) => {
        open = resolve;
      });
      this.#room = { promise, open };
    }
    return this.#room.promise;
  }

  async take(): Promise<WatchEvent<T> | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (this.#events.length < BUFFERED_EVENTS / 2) {
        this.#room?.open();
        this.#room = undefined;
      }
      if (event) return event;
      if (this.#error) throw this.#error;
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
