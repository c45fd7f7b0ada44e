import type { Readable } from 'node:stream';

/** The body is longer than it may be. */
export class BodyTooLargeError extends Error {}

/** The client went away, or took too long, before its body had come. */
export class BodyIncompleteError extends Error {}

/**
 * Reads a body as a whole. `declared`: the Content-Length, if the client gave one. Rejects with the errors above. `over` is
 * called once, before that or when the body is there.
 */
export function readBody(
  incoming: Readable,
  bytesMax: number,
  declared: string | undefined,
  over: () => void,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (declared !== undefined && Number(declared) > bytesMax) {
      over();
      return reject(new BodyTooLargeError());
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    let ended = false;
    // Listeners stay: they go with the request, and taking them off costs more than reading most bodies.
    const end = (error?: Error) => {
      if (ended) return;
      ended = true;
      over();
      if (error) reject(error);
      else resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, length));
    };
    const incomplete = () => {
      if (!ended) end(new BodyIncompleteError());
    };
    incoming.on('data', (chunk: Uint8Array) => {
      if (ended) return;
      length += chunk.length;
      if (length > bytesMax) end(new BodyTooLargeError());
      else chunks.push(chunk);
    });
    incoming.on('end', () => end());
    incoming.on('close', incomplete);
    incoming.on('error', incomplete);
  });
}
