import {
  type ByteDuplex,
  type ByteSink,
  type ByteSource,
  bytePipe,
  type Pipe,
  type Sink,
  type Source,
  StreamClosedError,
} from './channel.ts';

/** A WebSocket as messages, whatever library speaks it. Text arrives as a string, binary as bytes. */
export interface MessageSocket {
  /** The subprotocol that was agreed on; empty where there is none. */
  readonly protocol: string;
  /** Ends with the peer's close frame; rejects when the connection broke without one. */
  readonly source: Source<Message>;
  /** `end` sends a close frame (1000). */
  readonly sink: Sink<Message>;
  /** Sends a close frame with another code. */
  close(code: number, reason: string): void;
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<void>;
  destroy(reason?: Error): void;
}
export type Message = Uint8Array | string;

/** In v5 this channel number says that the one in the next byte is closed by its writer. */
export const CLOSE_SIGNAL = 255;

export interface ChannelOptions {
  /** `base64`: text frames, the channel as a digit, the rest in base64, for clients that have no binary frames. */
  readonly encoding: 'binary' | 'base64';
  /** Whether the protocol has the close signal (v5). */
  readonly closeSignal: boolean;
  /** The channels that the peer writes to. What it sends on others is dropped. */
  readonly reads: readonly number[];
}

/**
 * Several byte streams over one WebSocket: each message starts with the number of its channel.
 *
 * One message after the other is handed to its channel, so a channel whose reader has stopped holds up the others once
 * its buffer is full; there is nothing in the protocol to stop one channel alone.
 */
export class ChannelSocket {
  readonly #socket: MessageSocket;
  readonly #options: ChannelOptions;
  readonly #pipes: ReadonlyMap<number, Pipe<Uint8Array>>;

  constructor(socket: MessageSocket, options: ChannelOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#pipes = new Map(options.reads.map((channel) => [channel, bytePipe()]));
  }

  get closed(): Promise<void> {
    return this.#socket.closed;
  }

  start(): void {
    void this.#run();
  }

  /** What the peer writes to a channel of `reads`. Ends at its close signal or at the end of the connection. */
  source(channel: number): ByteSource {
    const pipe = this.#pipes.get(channel);
    if (!pipe) throw new RangeError(`channel ${channel} is not read`);
    return pipe;
  }

  sink(channel: number): ByteSink {
    let ended = false;
    return {
      write: (chunk) =>
        ended
          ? Promise.reject(new StreamClosedError('the stream was ended by its writer'))
          : this.#socket.sink.write(this.#encode(channel, chunk)),
      end: async () => {
        if (ended) return;
        ended = true;
        if (!this.#options.closeSignal) return;
        await this.#socket.sink.write(this.#encode(CLOSE_SIGNAL, Uint8Array.of(channel))).catch(() => {});
      },
      abort: (reason) => {
        if (!ended) this.#socket.destroy(reason);
      },
    };
  }

  /** Ends the connection in order. */
  async close(): Promise<void> {
    await this.#socket.sink.end();
  }

  destroy(reason?: Error): void {
    this.#socket.destroy(reason);
  }

  async #run(): Promise<void> {
    try {
      for (
        let message = await this.#socket.source.read();
        message !== undefined;
        message = await this.#socket.source.read()
      ) {
        const bytes = this.#decode(message);
        if (bytes === undefined) return this.#socket.close(1007, 'a message without a channel');
        const channel = bytes[0] as number;
        if (channel === CLOSE_SIGNAL && this.#options.closeSignal)
          await this.#pipes.get(bytes[1] ?? CLOSE_SIGNAL)?.end();
        else if (bytes.length > 1) await this.#deliver(channel, bytes.subarray(1));
      }
      for (const pipe of this.#pipes.values()) await pipe.end();
    } catch (error) {
      for (const pipe of this.#pipes.values()) pipe.endWith(error as Error);
    }
  }

  async #deliver(channel: number, data: Uint8Array): Promise<void> {
    try {
      await this.#pipes.get(channel)?.write(data);
    } catch {
      // Its reader has gone: dropped, the other channels go on.
    }
  }

  #encode(channel: number, data: Uint8Array): Message {
    if (this.#options.encoding === 'base64') return String.fromCharCode(48 + channel) + toBase64(data);
    const out = new Uint8Array(1 + data.length);
    out[0] = channel;
    out.set(data, 1);
    return out;
  }

  /** Channel and data; undefined for a message that has no channel. */
  #decode(message: Message): Uint8Array | undefined {
    if (message.length === 0) return undefined;
    if (this.#options.encoding === 'binary')
      return typeof message === 'string' ? new TextEncoder().encode(message) : message;
    const text = typeof message === 'string' ? message : new TextDecoder().decode(message);
    const data = fromBase64(text.slice(1));
    if (!data) return undefined;
    const out = new Uint8Array(1 + data.length);
    out[0] = text.charCodeAt(0) - 48;
    out.set(data, 1);
    return out;
  }
}

function toBase64(data: Uint8Array): string {
  let text = '';
  for (let at = 0; at < data.length; at += 0x2000) text += String.fromCharCode(...data.subarray(at, at + 0x2000));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** A WebSocket whose binary messages are the pieces of one byte stream: how SPDY is tunnelled. */
export function duplexOfMessages(socket: MessageSocket): ByteDuplex {
  return {
    source: {
      async read() {
        for (;;) {
          const message = await socket.source.read();
          if (message === undefined) return undefined;
          if (message.length > 0) return typeof message === 'string' ? new TextEncoder().encode(message) : message;
        }
      },
      cancel: (reason) => socket.source.cancel(reason),
    },
    sink: socket.sink,
    destroy: (reason) => socket.destroy(reason),
  };
}
