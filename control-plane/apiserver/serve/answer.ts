import type { Writable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import type { ApiResponse, StreamBody, WholeBody } from '../api.ts';
import type { Deadlines } from './deadlines.ts';
import type { Exchange } from './exchange.ts';
import type { ServeLimits } from './limits.ts';

/** Written to a client and not taken yet, before the writer waits. Enough that the next piece is ready in time. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Answers larger than this are watched over while they are written. */
const WATCHED_BYTES_MIN = 16 * 1024;

export interface AnswerContext {
  readonly limits: ServeLimits;
  /** Tells of answers of which nothing can be written. */
  readonly stalled: Deadlines;
}

/** Names in lower case and values, one after the other: what stands above every answer, then the answer's own. */
export function headFields(response: ApiResponse, auditId: string, closing: boolean): string[] {
  const fields = ['audit-id', auditId];
  if (!Object.hasOwn(response.headers, 'cache-control')) fields.push('cache-control', 'no-cache, private');
  for (const name in response.headers) fields.push(name.toLowerCase(), response.headers[name] as string);
  for (const cookie of response.cookies ?? []) fields.push('set-cookie', cookie);
  for (const warning of response.warnings) fields.push('warning', warningHeader(warning));
  if (closing) fields.push('connection', 'close');
  return fields;
}

/** `299 - "text"` (RFC 7234, section 5.5), with what a header cannot carry as blanks. */
export function warningHeader(text: string): string {
  let out = '299 - "';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (character === '"' || character === '\\') out += `\\${character}`;
    else out += code < 0x20 || code === 0x7f ? ' ' : character;
  }
  return Buffer.from(`${out}"`).toString('latin1');
}

/**
 * Writes a body that is there as a whole. Resolves when all of it has been handed to the connection; undefined where that
 * has been done already.
 */
export function answerWhole(
  exchange: Exchange,
  code: number,
  fields: string[],
  body: WholeBody,
  context: AnswerContext,
  sized?: (bytes: number) => void,
): Promise<void> | undefined {
  fields.push('content-type', body.contentType);
  const pieces = body.bytes();
  const { gzipBytesMin } = context.limits;
  const mayCompress = exchange.method !== 'HEAD' && acceptsGzip(exchange.headers['accept-encoding']);
  if (Array.isArray(pieces)) {
    const length = lengthOf(pieces);
    sized?.(length);
    if (!mayCompress || length < gzipBytesMin) {
      fields.push('content-length', String(length));
      return writeAll(exchange, code, fields, pieces, length, context);
    }
  }
  const { taken, rest } = mayCompress ? takeUpTo(pieces, gzipBytesMin) : { taken: [], rest: iteratorOf(pieces) };
  if (rest && mayCompress) {
    fields.push('content-encoding', 'gzip', 'vary', 'Accept-Encoding');
    exchange.head(code, fields, false);
    return writeCompressed(exchange, concat(taken, rest), context);
  }
  if (!rest) {
    const length = lengthOf(taken);
    fields.push('content-length', String(length));
    return writeAll(exchange, code, fields, taken, length, context);
  }
  exchange.head(code, fields, exchange.method === 'HEAD');
  return exchange.method === 'HEAD' ? undefined : writePieces(exchange, rest, context);
}

/** Writes bytes as they come. */
export async function answerStream(
  exchange: Exchange,
  code: number,
  fields: string[],
  body: StreamBody,
  context: AnswerContext,
): Promise<void> {
  fields.push('content-type', body.contentType);
  exchange.head(code, fields, exchange.method === 'HEAD');
  if (exchange.method === 'HEAD') return;
  const { outgoing } = exchange;
  if ('flushHeaders' in outgoing) (outgoing as Writable & { flushHeaders(): void }).flushHeaders();
  try {
    for await (const chunk of body.chunks) {
      outgoing.write(chunk);
      if (!(await hasRoom(exchange, context))) return;
    }
    outgoing.end();
  } catch {
    // The source broke in the middle: a body that is cut off must not look complete.
    exchange.destroy();
  }
}

function writeAll(
  exchange: Exchange,
  code: number,
  fields: string[],
  pieces: readonly Uint8Array[],
  length: number,
  context: AnswerContext,
): Promise<void> | undefined {
  const empty = exchange.method === 'HEAD' || length === 0;
  exchange.head(code, fields, empty);
  const { outgoing } = exchange;
  if (empty || outgoing.destroyed) return undefined;
  if (length > WATCHED_BYTES_MIN) return writePieces(exchange, pieces[Symbol.iterator](), context);
  outgoing.end(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, length));
  return undefined;
}

async function writePieces(exchange: Exchange, pieces: Iterator<Uint8Array>, context: AnswerContext): Promise<void> {
  const { outgoing } = exchange;
  for (let piece = pieces.next(); !piece.done; ) {
    const { value } = piece;
    outgoing.write(value);
    // Made while the former one is on its way.
    piece = pieces.next();
    if (!(await hasRoom(exchange, context))) return;
  }
  const stalled = context.stalled.begin(() => exchange.destroy());
  outgoing.once('close', () => context.stalled.met(stalled));
  outgoing.end();
}

async function writeCompressed(
  exchange: Exchange,
  pieces: Iterator<Uint8Array>,
  context: AnswerContext,
): Promise<void> {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 64 * 1024 });
  const { outgoing } = exchange;
  const fed = (async () => {
    for (let piece = pieces.next(); !piece.done; piece = pieces.next()) {
      if (outgoing.destroyed) return gzip.destroy();
      if (!gzip.write(piece.value)) await drained(gzip);
    }
    gzip.end();
  })();
  try {
    for await (const chunk of gzip) {
      outgoing.write(chunk as Uint8Array);
      if (!(await hasRoom(exchange, context))) return;
    }
    await fed;
    const stalled = context.stalled.begin(() => exchange.destroy());
    outgoing.once('close', () => context.stalled.met(stalled));
    outgoing.end();
  } finally {
    gzip.destroy();
  }
}

/** Waits until there is room for more; false when the client has gone or has taken nothing for too long. */
async function hasRoom(exchange: Exchange, { stalled }: AnswerContext): Promise<boolean> {
  const { outgoing } = exchange;
  if (outgoing.destroyed) return false;
  if (outgoing.writableLength < BUFFERED_BYTES_MAX) return true;
  const waiting = stalled.begin(() => exchange.destroy());
  await drained(outgoing);
  stalled.met(waiting);
  return !outgoing.destroyed;
}

/** Resolves when there is room again, or never will be. */
function drained(writable: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      writable.off('drain', done).off('close', done);
      resolve();
    };
    writable.on('drain', done).on('close', done);
  });
}

function acceptsGzip(header: string | readonly string[] | undefined): boolean {
  return (
    typeof header === 'string' && /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(header)
  );
}

const lengthOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0);

const iteratorOf = (pieces: Iterable<Uint8Array>): Iterator<Uint8Array> => pieces[Symbol.iterator]();

/** Takes pieces until they have `bytes`; `rest` is undefined when that was all and it was less. */
function takeUpTo(
  pieces: Iterable<Uint8Array>,
  bytes: number,
): { taken: Uint8Array[]; rest: Iterator<Uint8Array> | undefined } {
  const rest = iteratorOf(pieces);
  const taken: Uint8Array[] = [];
  for (let length = 0; length < bytes; ) {
    const piece = rest.next();
    if (piece.done) return { taken, rest: undefined };
    taken.push(piece.value);
    length += piece.value.length;
  }
  return { taken, rest };
}

function* concat(taken: readonly Uint8Array[], rest: Iterator<Uint8Array>): Generator<Uint8Array, void, undefined> {
  yield* taken;
  for (let piece = rest.next(); !piece.done; piece = rest.next()) yield piece.value;
}
