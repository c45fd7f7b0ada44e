import type { Readable } from 'node:stream';

/** The body is longer than it may be. */
export class BodyTooLargeError extends Error {}

/** The client went away, or took too long, before its body had come. */
export class BodyIncompleteError extends Error {}

/** Reads a body as a whole. `declared`: the Content-Length, if the client gave one. Throws the errors above. */
export function readBody(incoming: Readable, bytesMax: number, declared: string | undefined): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const end = (error?: Error) => {
      incoming.off('data', take).off('end', finish).off('close', incomplete).off('error', incomplete);
      if (error) reject(error);
      else resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, length));
    };
    const take = (chunk: Uint8Array) => {
      length += chunk.length;
      if (length > bytesMax) end(new BodyTooLargeError());
      else chunks.push(chunk);
    };
    const finish = () => end();
    const incomplete = () => end(new BodyIncompleteError());
    if (declared !== undefined && Number(declared) > bytesMax) return end(new BodyTooLargeError());
    incoming.on('data', take).on('end', finish).on('close', incomplete).on('error', incomplete);
  });
}
