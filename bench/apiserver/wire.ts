// A client that costs little beside the server that it measures: HTTP/1.1 over one TLS connection, one request after the
// other, bodies counted and not looked at.

import { once } from 'node:events';
import type { OnReadOpts } from 'node:net';
import * as tls from 'node:tls';
import type { Listening } from './server.ts';

const HEAD_END = Buffer.from('\r\n\r\n');

export class Wire {
  readonly #socket: tls.TLSSocket;
  #done: ((answer: { code: number; bytes: number }) => void) | undefined;
  #head: Buffer | undefined;
  #code = 0;
  #bytes = 0;
  /** Of the body; with chunks, until their end is seen. */
  #left = 0;
  #chunked = false;
  #tail = '';

  private constructor(to: Listening) {
    // One buffer for all that is read: a new one for every 64 KB costs more page faults than the server costs to answer.
    const buffer = Buffer.allocUnsafeSlow(64 * 1024);
    const callback = (bytes: number) => {
      this.#take(buffer.subarray(0, bytes));
      return true;
    };
    const options: tls.ConnectionOptions & { onread: OnReadOpts } = {
      host: '127.0.0.1',
      port: to.port,
      ca: to.caPem,
      cert: to.certificatePem,
      key: to.privateKeyPem,
      ALPNProtocols: ['http/1.1'],
      onread: { buffer, callback },
    };
    this.#socket = tls.connect(options);
  }

  static async connect(to: Listening): Promise<Wire> {
    const wire = new Wire(to);
    await once(wire.#socket, 'secureConnect');
    wire.#socket.setNoDelay(true);
    return wire;
  }

  /** The text of a request. */
  static request(method: string, path: string, body = ''): Buffer {
    const content =
      body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n${content}\r\n${body}`);
  }

  ask(request: Buffer): Promise<{ code: number; bytes: number }> {
    this.#bytes = 0;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let body = chunk;
    if (this.#left === 0 && !this.#chunked) {
      const all = this.#head ? Buffer.concat([this.#head, chunk]) : chunk;
      const end = all.indexOf(HEAD_END);
      if (end < 0) {
        this.#head = Buffer.from(all);
        return;
      }
      this.#head = undefined;
      const head = all.toString('latin1', 0, end).toLowerCase();
      this.#code = Number(head.slice(9, 12));
      this.#chunked = head.includes('\r\ntransfer-encoding: chunked');
      this.#left = this.#chunked ? 0 : Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
      body = all.subarray(end + 4);
    }
    this.#bytes += body.length;
    if (this.#chunked) {
      this.#tail = (this.#tail + body.toString('latin1', Math.max(0, body.length - 7))).slice(-7);
      if (!this.#tail.endsWith('\r\n0\r\n\r\n')) return;
      this.#chunked = false;
      this.#tail = '';
    } else {
      this.#left -= body.length;
      if (this.#left > 0) return;
    }
    this.#done?.({ code: this.#code, bytes: this.#bytes });
  }
}
