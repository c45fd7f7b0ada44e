import type { Duplex } from 'node:stream';
import { type ByteDuplex, StreamClosedError } from './channel.ts';

/**
 * A Node stream (socket, TLS socket) as a `ByteDuplex`. `head` holds bytes that were read before, as the `upgrade` event
 * hands them over. Reading is by demand: nothing is taken from the socket that nobody asked for, so its peer is slowed
 * down by TCP.
 */
export function duplexOfSocket(socket: Duplex, head?: Uint8Array): ByteDuplex {
  let first: Uint8Array | undefined = head && head.length > 0 ? head : undefined;
  let error: Error | undefined;
  let ended = false;
  let wake: (() => void) | undefined;
  const woken = () => {
    wake?.();
    wake = undefined;
  };
  const drained: (() => void)[] = [];
  const releaseWriters = () => {
    for (const release of drained.splice(0)) release();
  };
  socket.on('readable', woken);
  socket.on('drain', releaseWriters);
  socket.on('end', () => {
    ended = true;
    woken();
  });
  socket.on('error', (cause: Error) => {
    error ??= cause;
  });
  socket.on('close', () => {
    if (!ended) error ??= new StreamClosedError('the connection was closed');
    woken();
    releaseWriters();
  });
  const broken = () => error ?? (socket.destroyed ? new StreamClosedError('the connection was closed') : undefined);

  return {
    source: {
      async read() {
        if (first) {
          const bytes = first;
          first = undefined;
          return bytes;
        }
        for (;;) {
          const chunk = socket.read() as Uint8Array | null;
          if (chunk) return chunk;
          if (ended || socket.readableEnded) return undefined;
          const failed = broken();
          if (failed) throw failed;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
      cancel(reason) {
        if (!ended) socket.destroy(reason);
      },
    },
    sink: {
      async write(chunk) {
        const failed = broken();
        if (failed) throw failed;
        if (socket.write(chunk)) return;
        await new Promise<void>((resolve) => drained.push(resolve));
        if (error) throw error;
      },
      end() {
        return new Promise((resolve) => {
          if (socket.destroyed || socket.writableEnded) resolve();
          else {
            socket.once('close', resolve);
            socket.end(() => resolve());
          }
        });
      },
      abort(reason) {
        if (!socket.writableEnded) socket.destroy(reason);
      },
    },
    destroy(reason) {
      if (!socket.destroyed) socket.destroy(reason);
    },
  };
}
