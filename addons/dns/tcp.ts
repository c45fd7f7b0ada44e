import type { Duplex } from 'node:stream';

/** A DNS message as it goes over TCP: two bytes of length before it (RFC 1035, 4.2.2). */
export function withLength(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(message.length + 2);
  new DataView(out.buffer).setUint16(0, message.length);
  out.set(message, 2);
  return out;
}

/** The messages that come over a connection. Ends with it; holds at most one message (64 KiB) that is not complete. */
export async function* readMessages(connection: Duplex): AsyncGenerator<Uint8Array> {
  let pending = new Uint8Array(0);
  for await (const chunk of connection as AsyncIterable<Uint8Array>) {
    const joined = new Uint8Array(pending.length + chunk.length);
    joined.set(pending);
    joined.set(chunk, pending.length);
    let at = 0;
    while (joined.length - at >= 2) {
      const end = at + 2 + ((joined[at]! << 8) | joined[at + 1]!);
      if (joined.length < end) break;
      yield joined.slice(at + 2, end);
      at = end;
    }
    pending = joined.slice(at);
  }
}
