import type { Duplex } from 'node:stream';
import type { MessageSocket } from '../../../libs/streaming/websocket-channels.ts';
import type { ApiRequest, StreamBody, WatchBody, WatchFrame, WatchHandle, WatchSink } from '../api.ts';

/** Bytes told to a watcher that have not left yet, before its sender waits. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Before an event in protobuf stands its length, which a message of a WebSocket has by itself. */
const LENGTH_BYTES = 4;
/** How the bytes of a log may come; a client that names none gets binary messages. */
const LOG_SUBPROTOCOLS = ['binary.k8s.io', 'base64.binary.k8s.io'];

interface Upgraded {
  readonly request: ApiRequest;
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

/**
 * Answers a request that came as the wish for a WebSocket with the events of a watch, one message each, or with a log's
 * bytes as they come. Resolves when the connection has ended; rejects when the client's handshake is malformed or names
 * subprotocols that nobody speaks, which it has been told then.
 */
export async function answerInMessages(upgraded: Upgraded, body: StreamBody | WatchBody): Promise<void> {
  const { acceptMessages } = await import('../../../libs/streaming/node/upgrade.ts');
  const { method, headers } = upgraded.request;
  const socket = await acceptMessages(
    { request: { method, headers: { ...headers } as Record<string, string> }, ...pick(upgraded) },
    body.form === 'watch' ? 'any' : LOG_SUBPROTOCOLS,
  );
  // Nobody speaks on the client's side; what it says is read so that its farewell is heard.
  const heard = listen(socket);
  if (body.form === 'watch') sendEvents(socket, body);
  else await sendBytes(socket, body.chunks);
  await heard;
}

function pick({ socket, head }: Upgraded): { socket: Duplex; head: Uint8Array } {
  return { socket, head };
}

async function listen(socket: MessageSocket): Promise<void> {
  try {
    while ((await socket.source.read()) !== undefined);
  } catch {
    // It has gone without a farewell.
  }
  await socket.closed;
}

async function sendBytes(socket: MessageSocket, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const inText = socket.protocol.startsWith('base64.');
  try {
    // Clients see by an empty message that the log has begun.
    await socket.sink.write(inText ? '' : new Uint8Array());
    for await (const chunk of chunks) await socket.sink.write(inText ? Buffer.from(chunk).toString('base64') : chunk);
    await socket.sink.end();
  } catch (error) {
    // Either end has broken off: what is cut short must not look complete.
    socket.destroy(error as Error);
  }
}

function sendEvents(socket: MessageSocket, body: WatchBody): void {
  const sink = new MessageSink(socket, !body.contentType.includes('json'));
  const handle: WatchHandle = body.open(sink);
  void socket.closed.then(() => {
    sink.gone();
    handle.close();
  });
}

/** The reader of a watch behind a WebSocket. */
class MessageSink implements WatchSink {
  readonly #socket: MessageSocket;
  readonly #binary: boolean;
  #over = false;
  #bytes = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(socket: MessageSocket, binary: boolean) {
    this.#socket = socket;
    this.#binary = binary;
  }

  event(frame: WatchFrame): boolean {
    if (this.#over) return false;
    const bytes = frame.bytes();
    this.#bytes += bytes.length;
    const message = this.#binary ? bytes.subarray(LENGTH_BYTES) : new TextDecoder().decode(bytes);
    this.#socket.sink.write(message).then(
      () => this.#left(bytes.length),
      () => this.gone(),
    );
    return true;
  }

  room(): Promise<void> | undefined {
    if (this.#over || this.#bytes < BUFFERED_BYTES_MAX) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  end(): void {
    if (this.#over) return;
    this.gone();
    void this.#socket.sink.end();
  }

  /** The reader is no longer there. */
  gone(): void {
    this.#over = true;
    this.#open();
  }

  #left(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < BUFFERED_BYTES_MAX) this.#open();
  }

  #open(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
