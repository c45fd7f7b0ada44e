import type { Revision } from '../../store.ts';

/**
 * What stands on disk: one LMDB environment with five tables. `docs/decisions/` says why it is so.
 *
 * | table      | key                          | value                                                  |
 * | ---------- | ---------------------------- | ------------------------------------------------------ |
 * | `log`      | revision, 8 bytes            | a record: what the write did, the key, the joined value |
 * | `entries`  | the key, UTF-8               | revision of the record that holds its present value     |
 * | `expiries` | expiry in ms, revision       | the key                                                |
 * | `meta`     | `format`, `history`          | JSON                                                   |
 * | `times`    | last revision of a commit    | its wall time in ms, and the revision before it; no rows where nobody wants times kept |
 *
 * A record stays in the log as long as its entry lives, and while an event that history still tells needs it. Numbers
 * are big-endian, so that bytes sort as the numbers do.
 */
export const FORMAT = 1;

/** A page holds whole values up to 4 KB; with pages of 4 KB, values from 1.3 KB on would take up to twice their size. */
export const PAGE_BYTES = 8192;

/** `meta.format`. */
export interface FormatMeta {
  readonly format: number;
  readonly clusterId: string;
}

/** `meta.history`: what has been forgotten. */
export interface HistoryMeta {
  readonly compactedRevision: Revision;
  /** `cumulativeBytes` of the event at `compactedRevision`. */
  readonly compactedBytes: number;
}

/** One write, as the log holds it. */
export interface LogRecord {
  readonly key: string;
  /** Undefined for a deletion. */
  readonly value: Uint8Array | undefined;
  readonly revision: Revision;
  readonly createRevision: Revision;
  /** The revision that this write replaced; 0: there was none. */
  readonly previousRevision: Revision;
  /** 0: never. */
  readonly expiresAtMs: number;
  /** What all writes up to this one have replaced: the difference of two says what the history between them holds. */
  readonly cumulativeBytes: number;
}

const PUT = 1;
const DELETE = 2;
/** type, 1 byte unused, length of the key (2), then four numbers of 8 bytes. */
const HEADER_BYTES = 36;

/** Longer keys do not fit into a page's index. */
export const KEY_BYTES_MAX = 1900;

export const recordBytes = (record: LogRecord): number =>
  HEADER_BYTES + Buffer.byteLength(record.key) + (record.value?.length ?? 0);

/** Writes a record to `at` and returns its end. */
export function writeRecord(record: LogRecord, target: Buffer, at: number): number {
  const keyBytes = target.write(record.key, at + HEADER_BYTES);
  target.writeUInt8(record.value === undefined ? DELETE : PUT, at);
  target.writeUInt8(0, at + 1);
  target.writeUInt16BE(keyBytes, at + 2);
  writeNumber(target, at + 4, record.createRevision);
  writeNumber(target, at + 12, record.previousRevision);
  writeNumber(target, at + 20, record.expiresAtMs);
  writeNumber(target, at + 28, record.cumulativeBytes);
  const end = at + HEADER_BYTES + keyBytes;
  if (record.value === undefined) return end;
  target.set(record.value, end);
  return end + record.value.length;
}

/**
 * The record in the first `size` of `bytes`, of which it keeps nothing: `copy` makes the value's own bytes. `key`: what the
 * record's key is known to be. Throws `RangeError` for what cannot be a record.
 */
export function readRecord(
  revision: Revision,
  bytes: Buffer,
  size: number,
  copy: CopyBytes = copied,
  key?: string,
): LogRecord {
  const type = bytes.readUInt8(0);
  const valueAt = HEADER_BYTES + bytes.readUInt16BE(2);
  if ((type !== PUT && type !== DELETE) || valueAt > size) {
    throw new RangeError(`the record of revision ${revision} is malformed`);
  }
  return {
    key: key ?? bytes.toString('utf8', HEADER_BYTES, valueAt),
    value: type === PUT ? copy(bytes, valueAt, size) : undefined,
    revision,
    createRevision: readNumber(bytes, 4),
    previousRevision: readNumber(bytes, 12),
    expiresAtMs: readNumber(bytes, 20),
    cumulativeBytes: readNumber(bytes, 28),
  };
}

/** Makes bytes of its own of a part of others. */
export type CopyBytes = (bytes: Buffer, start: number, end: number) => Uint8Array;

/** A plain array of bytes: what is made as a `Buffer` costs more, and lists hold many thousands. */
function copied(bytes: Buffer, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
  return copy;
}

const SLAB_BYTES_MAX = 64 * 1024;

/**
 * Copies of values that are read together, side by side in slabs: memory of its own for each of many thousands costs more
 * than the copying, when it is taken and whenever garbage is collected. A slab lives as long as one of its values, so it
 * is never larger than what was copied before it, and large values have their own.
 */
export function copierIntoSlabs(): CopyBytes {
  let slab = Buffer.alloc(0);
  let at = 0;
  let copiedBytes = 0;
  return (bytes, start, end) => {
    const length = end - start;
    copiedBytes += length;
    if (at + length > slab.length) {
      const slabBytes = Math.min(SLAB_BYTES_MAX, copiedBytes);
      if (length > slabBytes / 8) return copied(bytes, start, end);
      slab = Buffer.allocUnsafeSlow(slabBytes);
      at = 0;
    }
    bytes.copy(slab, at, start, end);
    const copy = new Uint8Array(slab.buffer, at, length);
    at += length;
    return copy;
  };
}

export const NUMBER_BYTES = 8;

export function writeNumber(target: Buffer, at: number, value: number): void {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  target.writeUInt32BE(value % 2 ** 32, at + 4);
}

export function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** How LMDB is told to write a key of a table, and to read it back. `end` and `start` are positions in its buffer. */
export interface KeyForm<K> {
  writeKey(key: K, target: Buffer, start: number): number;
  readKey(source: Buffer, start: number, end: number): K;
}

export const textKeys: KeyForm<string> = {
  writeKey: (key, target, start) => start + target.write(key, start),
  readKey: (source, start, end) => source.toString('utf8', start, end),
};

export const revisionKeys: KeyForm<Revision> = {
  writeKey(key, target, start) {
    writeNumber(target, start, key);
    return start + NUMBER_BYTES;
  },
  readKey: (source, start) => readNumber(source, start),
};

export interface ExpiryKey {
  readonly expiresAtMs: number;
  readonly revision: Revision;
}

export const expiryKeys: KeyForm<ExpiryKey> = {
  writeKey(key, target, start) {
    writeNumber(target, start, key.expiresAtMs);
    writeNumber(target, start + NUMBER_BYTES, key.revision);
    return start + 2 * NUMBER_BYTES;
  },
  readKey: (source, start) => ({
    expiresAtMs: readNumber(source, start),
    revision: readNumber(source, start + NUMBER_BYTES),
  }),
};
