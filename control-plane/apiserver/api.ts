/**
 * What stands between the ways in (`serve/`: HTTP/1.1, h2; `in-process.ts`: the transport of the same process) and the
 * API itself (`ApiServer.handle`). One request in, one answer out; whoever carries them adds nothing and leaves nothing
 * out, so both ways authenticate, authorize and answer alike.
 *
 * An answer is not bytes yet: `bytes()` makes (or finds) them for the wire, `value()` gives the frozen objects
 * themselves to a client in the same process, which saves both sides the text.
 */

export interface ApiRequest {
  /** Upper-case. */
  readonly method: string;
  /** Percent-encoded as it came, without the query. */
  readonly path: string;
  /** After the `?`, undecoded; empty where there is none. */
  readonly query: string;
  /** Names in lower case; repeated headers are joined with `, ` except where a list is kept (`impersonate-group`). */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: ApiRequestBody | undefined;
  readonly peer: Peer;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

/** `value`: from the same process, JSON-shaped, the caller's own (it is copied). `media type` is in the headers either way. */
export type ApiRequestBody = { readonly bytes: Uint8Array } | { readonly value: unknown };

/** Thrown by whoever handles a request: it gets no answer, and its connection is cut off. */
export class NoAnswerError extends Error {}

export interface Peer {
  /** For audit and for `X-Forwarded-For`; empty in-process. */
  readonly address: string;
  /** The client certificate, verified against nothing yet, in DER; authentication decides whether it counts. */
  readonly certificateDer?: Uint8Array;
}

export interface ApiResponse {
  readonly code: number;
  /** Beyond content type, length and warnings. */
  readonly headers: Readonly<Record<string, string>>;
  /** `Set-Cookie` of a proxied program: the one header whose values cannot be joined (RFC 6265, section 3). */
  readonly cookies?: readonly string[];
  readonly warnings: readonly string[];
  readonly body: ApiBody;
  /** Told how many bytes a body that is there as a whole has, where that is known before it is written. */
  readonly sized?: (bytes: number) => void;
}

export type ApiBody = EmptyBody | WholeBody | StreamBody | WatchBody;

export interface EmptyBody {
  readonly form: 'empty';
}

/** A body that is there as a whole: an object, a list, a Status, a document. */
export interface WholeBody {
  readonly form: 'whole';
  readonly contentType: string;
  /** Pieces to be written one after the other; shared with others, so never changed. */
  bytes(): Iterable<Uint8Array>;
  /** The same pieces, each made when it is asked for: for long lists, which then need not be in memory as a whole. */
  stream?(): Iterable<Uint8Array>;
  /** The JSON value, deeply frozen; text for `text/plain`. */
  value(): unknown;
}

/** Bytes that come as they come: logs, proxied bodies. */
export interface StreamBody {
  readonly form: 'stream';
  readonly contentType: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** A watch. Nothing happens until `open`. */
export interface WatchBody {
  readonly form: 'watch';
  readonly contentType: string;
  open(sink: WatchSink): WatchHandle;
}

export interface WatchHandle {
  /** The reader has gone; no call of the sink after this returned. Idempotent. */
  close(): void;
}

export interface WatchSink {
  /**
   * One event. False: the reader has fallen too far behind (the bound is the sink's); the watch is then ended at once.
   * Called synchronously and often: must not block, must not throw.
   */
  event(event: WatchFrame): boolean;
  /**
   * Undefined while there is room for more; else resolves when there is, or when the reader has gone. A sender that sees
   * a promise should wait instead of sending on: what it has not sent lies in the cache's history, once for all readers.
   */
  room?(): Promise<void> | undefined;
  /** The watch is over: its time was up, the server stops, or an ERROR event said why. */
  end(): void;
}

/** One event in one form, shared by all watchers of that form. */
export interface WatchFrame {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** Framed as its media type wants it: a line of JSON, or a length and protobuf. */
  bytes(): Uint8Array;
  /** The frozen object, in the version that was asked for. */
  value(): unknown;
}
