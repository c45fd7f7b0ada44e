import type { ApiObject, DeepReadonly } from '../kind/object.ts';

/**
 * How a client's requests reach an API server: over HTTPS (`node/https-transport.ts`), or straight into the server of the
 * same process (`control-plane/apiserver/in-process.ts`). Values go in and out, not bytes: a transport that needs text
 * makes it, one that does not hands frozen objects over as they are.
 */
export interface Transport {
  /**
   * Sends a request and gives the answer, whatever its code. Throws `TransportError` when there was none, and the
   * signal's reason when it was aborted.
   */
  request(request: TransportRequest): Promise<TransportResponse>;
  /**
   * Starts a watch; resolves when the server has said yes, with what ends it. Nothing is told before that. Throws
   * `ApiError` when the server said no.
   */
  watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch>;
  /** Ends everything under way. Idempotent. */
  close(): Promise<void>;
}

export interface TransportRequest {
  /** Upper-case. */
  readonly method: string;
  /** Percent-encoded, without the query. */
  readonly path: string;
  /** Encoded, without the question mark; empty where there is none. */
  readonly query: string;
  /** Names in lower case. The transport adds credentials, `accept` and, where nothing is said, `user-agent`. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON-shaped; it stays the caller's. `content-type` is in the headers. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly code: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The JSON value, deeply frozen; text where the answer is no JSON; undefined where it is empty. */
  readonly value: unknown;
}

export interface TransportWatchSink {
  event(type: string, object: DeepReadonly<ApiObject>): void;
  /** The watch is over: the server ended it (undefined), or it broke. Told once, and never after `close`. */
  ended(error: Error | undefined): void;
  /** As `WatchSink.room` of the API server: a promise says that the sender should wait. */
  room?(): Promise<void> | undefined;
}

export interface TransportWatch {
  /** Ends the watch; nothing is told after this returned. Idempotent. */
  close(): void;
}
