import { asError, type ByteDuplex, StreamClosedError } from '../channel.ts';
import {
  dataHead,
  type Frame,
  FrameParser,
  GOAWAY,
  goAway,
  headersFrame,
  ping,
  RST,
  rstStream,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SpdyError,
  settings,
  synStream,
  windowUpdate,
} from './frames.ts';
import { HeaderCompressor, HeaderDecompressor, type RawDeflate, type SpdyHeaders } from './headers.ts';
import { SpdyStream, type StreamWire } from './stream.ts';
import { SendWindow } from './window.ts';

export interface SpdyOptions {
  /** The bytes below: a socket after its upgrade, or the messages of a WebSocket. Owned by the connection. */
  readonly transport: ByteDuplex;
  /** The client's streams have odd numbers, the server's even ones. */
  readonly role: 'client' | 'server';
  readonly zlib: RawDeflate;
  /** A stream that the peer opened. Called before any of its data is delivered; answer with `reply` or `reset`. */
  readonly accept?: (stream: SpdyStream) => void;
  /** Streams open at one time beyond which the peer's are refused. Default 1,000. */
  readonly streamsMax?: number;
}

/** What one stream may have in flight towards us, and all of them together. */
const STREAM_WINDOW_BYTES = 256 * 1024;
const SESSION_WINDOW_BYTES = 1024 * 1024;
/** What SPDY/3.1 assumes as long as nobody said otherwise. */
const DEFAULT_WINDOW_BYTES = 64 * 1024;
const DATA_FRAME_BYTES_MAX = 32 * 1024;
/** Answers to the peer's control frames that it has not taken yet; more is a flood. */
const PENDING_ANSWERS_MAX = 256;

/**
 * One SPDY/3.1 connection, either end.
 *
 * Flow control: we announce our windows; we obey the peer's, and give it back ours as data is read, from the moment it
 * shows that it has any (a SETTINGS or WINDOW_UPDATE frame). The implementation that kubectl and the container runtimes
 * use sends neither and never widens a window, so obeying the default 64 KiB would stop every transfer for good; its
 * back-pressure is the socket's. For the same reason a reader that falls behind a peer without windows stops our reading
 * of the socket once `SESSION_WINDOW_BYTES` wait in memory. And it closes its socket while its last data are under way:
 * a window given back then would be answered with a reset, which takes those data with it.
 *
 *     const connection = new SpdyConnection({ transport, role: 'client', zlib: nodeZlib });
 *     connection.start();
 *     const stdin = connection.open({ streamtype: 'stdin' });
 *     await stdin.replied;
 */
export class SpdyConnection {
  readonly #transport: ByteDuplex;
  readonly #accept: ((stream: SpdyStream) => void) | undefined;
  readonly #streamsMax: number;
  readonly #compressor: HeaderCompressor;
  readonly #decompressor: HeaderDecompressor;
  readonly #parser = new FrameParser();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #pings = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly #wire: StreamWire;
  readonly #sessionWindow = new SendWindow(DEFAULT_WINDOW_BYTES);
  readonly #closed = Promise.withResolvers<Error | undefined>();
  readonly #over = Promise.withResolvers<void>();
  #peerStreamWindow = DEFAULT_WINDOW_BYTES;
  #peerHasWindows = false;
  #nextStreamId: number;
  #nextPingId: number;
  #lastPeerStreamId = 0;
  #goneAway = false;
  #peerGoneAway = false;
  #pendingAnswers = 0;
  #unread = 0;
  #unacknowledged = 0;
  #roomWanted: (() => void) | undefined;
  #finished = false;
  #started = false;

  constructor(options: SpdyOptions) {
    this.#transport = options.transport;
    this.#accept = options.accept;
    this.#streamsMax = options.streamsMax ?? 1000;
    this.#compressor = new HeaderCompressor(options.zlib);
    this.#decompressor = new HeaderDecompressor(options.zlib);
    this.#nextStreamId = options.role === 'client' ? 1 : 2;
    this.#nextPingId = this.#nextStreamId;
    this.#wire = {
      sendData: (stream, data, fin) => this.#sendData(stream, data, fin),
      sendReply: (stream, headers, fin) =>
        this.#send(headersFrame('SYN_REPLY', stream.id, this.#compressor.compress(headers), fin)),
      sendReset: (stream, status) => this.#send(rstStream(stream.id, status)),
      taken: (stream, bytes) => this.#taken(stream, bytes),
      done: (stream) => this.#forget(stream),
    };
  }

  /** Resolves once the connection is over: with the error that ended it, or undefined for an orderly end. Never rejects. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** Resolves once the transport is gone too. Never rejects. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Begins to read. Streams may be opened from now on. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#send(settings(new Map([[SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES]]))).catch(() => {});
    this.#send(windowUpdate(0, SESSION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)).catch(() => {});
    void this.#run();
  }

  /**
   * Opens a stream; its SYN_STREAM goes out before any later call's. Throws `StreamClosedError` when the connection is
   * over or the peer has said GOAWAY.
   */
  open(headers: SpdyHeaders, options: { fin?: boolean; priority?: number } = {}): SpdyStream {
    if (this.#finished || this.#goneAway || this.#peerGoneAway)
      throw new StreamClosedError('the SPDY connection takes no new streams');
    const id = this.#nextStreamId;
    this.#nextStreamId += 2;
    const stream = new SpdyStream(this.#wire, id, headers, this.#newWindow(), true);
    this.#streams.set(id, stream);
    const fin = options.fin ?? false;
    const sent = this.#send(synStream(id, options.priority ?? 0, this.#compressor.compress(headers), fin));
    sent.catch(() => {});
    if (fin) stream.localEnded();
    return stream;
  }

  /** Resolves when the peer has answered. */
  ping(): Promise<void> {
    if (this.#finished) return Promise.reject(new StreamClosedError('the SPDY connection is closed'));
    const id = this.#nextPingId;
    this.#nextPingId = (this.#nextPingId + 2) >>> 0;
    return new Promise((resolve, reject) => {
      this.#pings.set(id, { resolve, reject });
      this.#send(ping(id)).catch(reject);
    });
  }

  /**
   * Says GOAWAY, lets open streams come to their end, and ends our direction; `closed` tells when that is. The transport
   * itself goes when the peer has ended its own; `destroy` after `closed` does not wait for that.
   */
  close(): void {
    if (this.#goneAway || this.#finished) return;
    this.#goneAway = true;
    this.#send(goAway(this.#lastPeerStreamId, GOAWAY.ok)).catch(() => {});
    this.#finishWhenIdle();
  }

  /** Breaks every stream with `reason` and closes the transport. */
  destroy(reason: Error = new StreamClosedError('the SPDY connection was closed')): void {
    this.#finish(reason);
    this.#transport.destroy(reason);
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#transport.source.read();
        if (chunk === undefined) break;
        // After the end the rest is read and dropped: closing a socket with unread bytes would reset it, and what we
        // said last could be lost on its way.
        if (this.#finished) continue;
        for (const frame of this.#parser.push(chunk)) this.#receive(frame);
        if (this.#unread > SESSION_WINDOW_BYTES) await this.#room();
      }
      const cut = !this.#parser.atBoundary || this.#streams.size > 0;
      this.#finish(cut ? new StreamClosedError('the connection ended with streams still open') : undefined);
      await this.#transport.sink.end().catch(() => {});
      this.#transport.destroy();
    } catch (error) {
      const reason = asError(error);
      if (error instanceof SpdyError && !this.#finished) {
        this.#send(goAway(this.#lastPeerStreamId, GOAWAY.protocolError)).catch(() => {});
        this.#finish(reason);
        await this.#transport.sink.end().catch(() => {});
      }
      this.#finish(reason);
      this.#transport.destroy(reason);
    }
    this.#over.resolve();
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case 'SYN_STREAM':
        return this.#receiveStream(frame);
      case 'SYN_REPLY':
      case 'HEADERS': {
        // The block is part of the direction's compression, so it is opened even where nobody wants it.
        const headers = this.#decompressor.decompress(frame.block);
        const stream = this.#streams.get(frame.streamId);
        if (!stream) return;
        if (frame.type === 'SYN_REPLY') stream.receiveReply(headers);
        if (frame.fin) stream.receiveEnd();
        return;
      }
      case 'DATA': {
        const stream = this.#streams.get(frame.streamId);
        if (!stream) {
          if (frame.data.length > 0) this.#acknowledge(frame.data.length);
          return;
        }
        if (frame.data.length > 0) {
          this.#unread += frame.data.length;
          // Copied, because the chunk it lies in would be held as long as a slow reader holds this part of it.
          stream.receiveData(frame.data.length < 4096 ? frame.data.slice() : frame.data);
        }
        if (frame.fin) stream.receiveEnd();
        return;
      }
      case 'RST_STREAM':
        this.#streams.get(frame.streamId)?.receiveReset(frame.status);
        return;
      case 'SETTINGS': {
        this.#obeyWindows();
        const size = frame.values.get(SETTINGS_INITIAL_WINDOW_SIZE);
        if (size === undefined) return;
        for (const stream of this.#streams.values()) stream.window.widen(size - this.#peerStreamWindow);
        this.#peerStreamWindow = size;
        return;
      }
      case 'WINDOW_UPDATE':
        this.#obeyWindows();
        if (frame.streamId === 0) this.#sessionWindow.widen(frame.delta);
        else this.#streams.get(frame.streamId)?.window.widen(frame.delta);
        return;
      case 'PING':
        if (frame.id % 2 === this.#nextPingId % 2) {
          this.#pings.get(frame.id)?.resolve();
          this.#pings.delete(frame.id);
        } else this.#answer(ping(frame.id));
        return;
      case 'GOAWAY':
        this.#peerGoneAway = true;
        for (const stream of [...this.#streams.values()]) {
          if (stream.isLocal && !stream.isReplied && stream.id > frame.lastStreamId)
            stream.receiveReset(RST.refusedStream);
        }
        this.#finishWhenIdle();
        return;
    }
  }

  #receiveStream(frame: Frame & { type: 'SYN_STREAM' }): void {
    const headers = this.#decompressor.decompress(frame.block);
    const { streamId } = frame;
    if (this.#goneAway) return;
    if (streamId % 2 === this.#nextStreamId % 2)
      throw new SpdyError(`the peer opened stream ${streamId}, which is ours to open`);
    if (streamId <= this.#lastPeerStreamId) {
      this.#streams.get(streamId)?.receiveReset(RST.protocolError);
      this.#answer(rstStream(streamId, RST.protocolError));
      return;
    }
    this.#lastPeerStreamId = streamId;
    if (!this.#accept || this.#streams.size >= this.#streamsMax || frame.unidirectional) {
      this.#answer(rstStream(streamId, RST.refusedStream));
      return;
    }
    const stream = new SpdyStream(this.#wire, streamId, headers, this.#newWindow(), false);
    this.#streams.set(streamId, stream);
    if (frame.fin) stream.receiveEnd();
    this.#accept(stream);
  }

  async #sendData(stream: SpdyStream, data: Uint8Array, fin: boolean): Promise<void> {
    let at = 0;
    do {
      let part = data.subarray(at, at + DATA_FRAME_BYTES_MAX);
      if (part.length > 0) {
        const allowed = await stream.window.take(part.length);
        const granted = await this.#sessionWindow.take(allowed);
        if (granted < allowed) stream.window.widen(allowed - granted);
        part = part.subarray(0, granted);
      }
      if (this.#finished) throw new StreamClosedError('the SPDY connection is closed');
      at += part.length;
      const last = fin && at === data.length;
      // One write for head and payload: two would be two packets, or two messages of a WebSocket.
      const out = new Uint8Array(8 + part.length);
      out.set(dataHead(stream.id, part.length, last));
      out.set(part, 8);
      await this.#send(out);
    } while (at < data.length);
  }

  #send(bytes: Uint8Array): Promise<void> {
    if (this.#finished) return Promise.reject(new StreamClosedError('the SPDY connection is closed'));
    return this.#transport.sink.write(bytes);
  }

  /** Sends without waiting, for what the protocol itself has to say; a peer that does not take it is cut off. */
  #answer(bytes: Uint8Array): void {
    if (this.#finished) return;
    if (this.#pendingAnswers >= PENDING_ANSWERS_MAX)
      throw new SpdyError('the peer asks for more answers than it takes');
    this.#pendingAnswers++;
    const done = () => {
      this.#pendingAnswers--;
    };
    this.#transport.sink.write(bytes).then(done, done);
  }

  #newWindow(): SendWindow {
    return new SendWindow(this.#peerStreamWindow, this.#peerHasWindows);
  }

  #obeyWindows(): void {
    if (this.#peerHasWindows) return;
    this.#peerHasWindows = true;
    this.#sessionWindow.obey();
    for (const stream of this.#streams.values()) stream.window.obey();
  }

  #taken(stream: SpdyStream, bytes: number): void {
    this.#unread -= bytes;
    this.#acknowledge(bytes);
    if (this.#peerHasWindows) stream.unacknowledged += bytes;
    if (stream.unacknowledged >= STREAM_WINDOW_BYTES / 2 && !stream.isRemoteEnded) {
      if (!this.#finished) this.#send(windowUpdate(stream.id, stream.unacknowledged)).catch(() => {});
      stream.unacknowledged = 0;
    }
    if (this.#unread <= SESSION_WINDOW_BYTES / 2) {
      this.#roomWanted?.();
      this.#roomWanted = undefined;
    }
  }

  #acknowledge(bytes: number): void {
    if (!this.#peerHasWindows) return;
    this.#unacknowledged += bytes;
    if (this.#unacknowledged < SESSION_WINDOW_BYTES / 4) return;
    if (!this.#finished) this.#send(windowUpdate(0, this.#unacknowledged)).catch(() => {});
    this.#unacknowledged = 0;
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomWanted = resolve;
    });
  }

  #forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.#finishWhenIdle();
  }

  /** After GOAWAY from either side the connection ends with its last stream. */
  #finishWhenIdle(): void {
    if (this.#finished || this.#streams.size > 0 || !(this.#goneAway || this.#peerGoneAway)) return;
    this.#finish(undefined);
    this.#transport.sink.end().catch(() => {});
  }

  #finish(error: Error | undefined): void {
    if (this.#finished) return;
    this.#finished = true;
    const reason = error ?? new StreamClosedError('the SPDY connection is closed');
    this.#sessionWindow.fail(reason);
    for (const stream of [...this.#streams.values()]) stream.fail(reason);
    this.#streams.clear();
    for (const waiting of this.#pings.values()) waiting.reject(reason);
    this.#pings.clear();
    this.#roomWanted?.();
    this.#roomWanted = undefined;
    this.#closed.resolve(error);
  }
}
