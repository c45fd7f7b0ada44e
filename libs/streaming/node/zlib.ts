import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { RawDeflate } from '../spdy/headers.ts';

/** SPDY's header compression on Node's zlib. Blocks are some hundred bytes: 0.1 ms each, on the calling thread. */
export const nodeZlib: RawDeflate = Object.freeze({
  deflate(data: Uint8Array, dictionary: Uint8Array): Uint8Array {
    return deflateRawSync(data, { dictionary, finishFlush: constants.Z_SYNC_FLUSH, level: 9 });
  },
  inflate(data: Uint8Array, dictionary: Uint8Array, outputBytesMax: number): Uint8Array {
    return inflateRawSync(data, { dictionary, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: outputBytesMax });
  },
});
