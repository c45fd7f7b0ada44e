import { closeSync, openSync, readSync, statSync } from 'node:fs';

/**
 * Writes tar archives (POSIX ustar) that depend on nothing but their entries: sorted, owned by root, of one fixed time.
 */
export type TarEntry =
  | { readonly kind: 'file'; readonly mode?: number; readonly content: string | Uint8Array | { readonly path: string } }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'folder'; readonly mode?: number };

const MODIFIED_SECONDS = 1_600_000_000;
const BLOCK = 512;
const CHUNK = 1 << 20;

/** Splits a path for ustar's two fields (prefix of 155 bytes, name of 100); throws when it does not fit. */
function splitPath(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (Buffer.byteLength(prefix) <= 155 && name !== '' && Buffer.byteLength(name) <= 100) return [prefix, name];
  }
  throw new Error(`too long for a tar entry: ${path}`);
}

function header(path: string, type: '0' | '2' | '5', mode: number, size: number, target = ''): Buffer {
  const block = Buffer.alloc(BLOCK);
  const [prefix, name] = splitPath(path);
  if (Buffer.byteLength(target) > 100) throw new Error(`too long for a link's target: ${target}`);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(MODIFIED_SECONDS, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write(target, 157);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** All folders that lead to the entries and are not entries themselves, added. */
function withParents(entries: ReadonlyMap<string, TarEntry>): Map<string, TarEntry> {
  const all = new Map(entries);
  for (const path of entries.keys()) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const there = all.get(parent);
      if (there === undefined) all.set(parent, { kind: 'folder' });
      else if (there.kind !== 'folder') throw new Error(`${path}: ${parent} is no folder`);
    }
  }
  return all;
}

/**
 * The bytes of an archive, in pieces. Paths are relative (`etc/passwd`); parents come by themselves. Files given by path
 * are read while the archive is written.
 */
export function* tar(entries: ReadonlyMap<string, TarEntry>): Generator<Buffer> {
  const sorted = [...withParents(entries)].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, entry] of sorted) {
    if (entry.kind === 'folder') yield header(`${path}/`, '5', entry.mode ?? 0o755, 0);
    else if (entry.kind === 'link') yield header(path, '2', 0o777, 0, entry.target);
    else if (typeof entry.content === 'string' || entry.content instanceof Uint8Array) {
      const content = Buffer.from(entry.content as Uint8Array);
      yield header(path, '0', entry.mode ?? 0o644, content.length);
      yield content;
      yield padding(content.length);
    } else {
      yield* file(path, entry.content.path, entry.mode);
    }
  }
  yield Buffer.alloc(2 * BLOCK);
}

function* file(path: string, source: string, mode: number | undefined): Generator<Buffer> {
  const { size, mode: own } = statSync(source);
  yield header(path, '0', mode ?? own & 0o7777, size);
  const open = openSync(source, 'r');
  try {
    for (let left = size; left > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, left));
      const read = readSync(open, chunk);
      if (read === 0) throw new Error(`${source} became shorter while it was read`);
      left -= read;
      yield chunk.subarray(0, read);
    }
  } finally {
    closeSync(open);
  }
  yield padding(size);
}

const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
