import type { Host } from '../../../../libs/base/host.ts';
import { StoreError } from '../../store.ts';
import { PAGE_BYTES } from './format.ts';

/**
 * Looks at the database file before LMDB does, which ends the process when it meets a file that is not its own, or a
 * disk without room for its table of readers.
 *
 * An LMDB file begins with two pages that say which commit is valid, written in turn; either may be the newer one.
 * The first sync of a new file covers both, so where one is not there, nothing in the file was ever acknowledged.
 */
export async function prepareDataFile(host: Host, directory: string, path: string): Promise<void> {
  const { freeBytes } = await host.files.space(directory);
  if (freeBytes < FREE_BYTES_MIN) {
    throw new StoreError('no space', `${directory} has only ${freeBytes} bytes left, too few to open the store`);
  }
  const stat = await host.files.statIfExists(path);
  if (stat === undefined) return;
  if (stat.kind !== 'file') throw new StoreError('corrupt', `${path} is not a file`);
  const head = Buffer.from(await host.files.readAt(path, 0, HEAD_BYTES));
  const first = readMeta(head, 0);
  const sizes = first ? [first.pageBytes] : PAGE_SIZES;
  const second = sizes.map((size) => readMeta(head, size)).find((meta) => meta !== undefined);
  if (first && second) {
    const newest = first.commit >= second.commit ? first : second;
    const end = (newest.root + 1) * newest.pageBytes;
    if (newest.root >= 0 && end > stat.sizeBytes) {
      throw new StoreError('corrupt', `${path} has been cut off: it has ${stat.sizeBytes} bytes and needs ${end}`);
    }
    return;
  }
  const known = first ?? second;
  const missing = first ? [first.pageBytes] : second ? [0] : [0, PAGE_BYTES];
  if (!missing.every((at) => isZero(head, at)) || (known && known.commit > 0)) {
    throw new StoreError('corrupt', `${path} is not a database of this store`);
  }
  await host.files.remove(path);
}

const FREE_BYTES_MIN = 256 * 1024;
/** What other versions may have made; all are read. */
const PAGE_SIZES = [4096, 8192, 16384, 32768, 65536];
const HEAD_BYTES = 2 * 65536;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_BYTES = 168;

interface Meta {
  readonly pageBytes: number;
  /** The page from which all others are found; -1: none. */
  readonly root: number;
  /** Counts commits. */
  readonly commit: number;
}

/** The page that begins at `at`, if it is one of the two. Numbers stand in the byte order of the machine: x64 and arm64 agree. */
function readMeta(head: Buffer, at: number): Meta | undefined {
  if (head.length < at + META_BYTES) return undefined;
  if (head.readUInt32LE(at + 24) !== MAGIC || head.readUInt32LE(at + 28) !== VERSION) return undefined;
  const pageBytes = head.readUInt32LE(at + 48);
  if (!PAGE_SIZES.includes(pageBytes)) return undefined;
  const root = head.readBigUInt64LE(at + 136);
  return {
    pageBytes,
    root: root === 2n ** 64n - 1n ? -1 : Number(root),
    commit: Number(head.readBigUInt64LE(at + 152)),
  };
}

const isZero = (head: Buffer, at: number) => head.subarray(at, at + META_BYTES).every((byte) => byte === 0);
