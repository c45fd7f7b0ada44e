import type { Clock } from '../base/clock.ts';
import { ApiError } from '../machinery/errors.ts';
import type { RequestObserver } from '../metrics/rest-client.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from './transport.ts';

/** The same way to the server, with somebody told of each request and its answer. */
export function observedTransport(transport: Transport, clock: Clock, observer: RequestObserver): Transport {
  return new ObservedTransport(transport, clock, observer);
}

class ObservedTransport implements Transport {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #observer: RequestObserver;

  constructor(transport: Transport, clock: Clock, observer: RequestObserver) {
    this.#transport = transport;
    this.#clock = clock;
    this.#observer = observer;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const beganMs = this.#clock.monotonic();
    try {
      const response = await this.#transport.request(request);
      this.#told(request, response.code, beganMs);
      return response;
    } catch (error) {
      this.#told(request, '<error>', beganMs);
      throw error;
    }
  }

  async watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    const beganMs = this.#clock.monotonic();
    try {
      const watch = await this.#transport.watch(request, sink);
      this.#told(request, 200, beganMs);
      return watch;
    } catch (error) {
      this.#told(request, error instanceof ApiError ? error.code : '<error>', beganMs);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  #told({ method }: TransportRequest, code: number | '<error>', beganMs: number): void {
    this.#observer.answered(method, code, this.#clock.monotonic() - beganMs);
  }
}
