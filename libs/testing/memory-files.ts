import type { Clock } from '../base/clock.ts';
import type { FileStat, Files, OpenFile, WriteOptions } from '../base/host.ts';
import { systemError } from './system-error.ts';

type Entry = FileEntry | FolderEntry | LinkEntry;

/** Classes, not literals: a thousand machines hold hundreds of thousands of these, and so each is one small object. */
abstract class Common {
  mode: number;
  uid = 0;
  gid = 0;
  readonly inode: number;
  modifiedMs: number;

  constructor(mode: number, inode: number, nowMs: number) {
    this.mode = mode;
    this.inode = inode;
    this.modifiedMs = nowMs;
  }
}

class FileEntry extends Common {
  readonly kind = 'file';
  /** May be longer than the file: appending does not copy every time. */
  data: Uint8Array<ArrayBuffer>;
  sizeBytes: number;

  constructor(mode: number, inode: number, nowMs: number, data: Uint8Array<ArrayBuffer>) {
    super(mode, inode, nowMs);
    this.data = data;
    this.sizeBytes = data.length;
  }
}

class FolderEntry extends Common {
  readonly kind = 'directory';
  /** Where it is; undefined for the root. */
  parent: FolderEntry | undefined;
  name: string;
  /** Most folders hold one entry or none: only the second makes a map. */
  #onlyName = '';
  #only: Entry | undefined;
  #entries: Map<string, Entry> | undefined;

  constructor(mode: number, inode: number, nowMs: number, parent: FolderEntry | undefined, name: string) {
    super(mode, inode, nowMs);
    this.parent = parent;
    this.name = name;
  }

  get isEmpty(): boolean {
    return this.#only === undefined && !this.#entries?.size;
  }

  get(name: string): Entry | undefined {
    if (this.#entries) return this.#entries.get(name);
    return name === this.#onlyName ? this.#only : undefined;
  }

  set(name: string, entry: Entry): void {
    if (this.#entries) this.#entries.set(name, entry);
    else if (this.#only === undefined || name === this.#onlyName) {
      this.#onlyName = name;
      this.#only = entry;
    } else {
      this.#entries = new Map([
        [this.#onlyName, this.#only],
        [name, entry],
      ]);
      this.#only = undefined;
    }
  }

  delete(name: string): void {
    if (this.#entries) this.#entries.delete(name);
    else if (name === this.#onlyName) this.#only = undefined;
  }

  names(): string[] {
    if (this.#entries) return [...this.#entries.keys()];
    return this.#only === undefined ? [] : [this.#onlyName];
  }

  inside(): Iterable<Entry> {
    if (this.#entries) return this.#entries.values();
    return this.#only === undefined ? [] : [this.#only];
  }
}

/** A part of a disk as data, folders with what is in them, in the order of names. Never changed: disks share the data. */
export type DiskEntry =
  | { readonly kind: 'directory'; readonly name: string; readonly mode: number; readonly inside: readonly DiskEntry[] }
  | { readonly kind: 'file'; readonly name: string; readonly mode: number; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'symlink'; readonly name: string; readonly target: string };

class LinkEntry extends Common {
  readonly kind = 'symlink';
  readonly target: string;

  constructor(inode: number, nowMs: number, target: string) {
    super(0o777, inode, nowMs);
    this.target = target;
  }
}

const encoder = new TextEncoder();
/** Of all files that nothing was written to: it cannot be changed. */
const NOTHING = new Uint8Array(0);

/** Which code an operation on a path is to fail with; undefined: none. */
export type FileFault = (operation: keyof Files, path: string) => string | undefined;

/**
 * A file system in memory that behaves as the contract of `Files` says, modes and times included; permissions are kept
 * and not enforced. Tests may set:
 *
 *     files.spaceBytes = 100;                                   // beyond it writes fail with ENOSPC
 *     files.reservedBytes = 50;                                 // others hold so much of it
 *     files.computed.set('/proc/uptime', () => '1.0 1.0\n');    // made when it is read, as a kernel does
 *     files.mountPoints.add('/pods/1/volume');                  // remove of it, or above it, fails with EBUSY
 *     files.fault = (operation, path) => (path === '/a' && operation === 'write' ? 'EIO' : undefined);
 */
export class MemoryFiles implements Files {
  /** How much the files may hold. */
  spaceBytes = 64 * 2 ** 30;
  /** How much of that is taken by what cannot be seen here. */
  reservedBytes = 0;
  /** Texts of files that are made when they are read. They are in no folder. */
  readonly computed = new Map<string, () => string>();
  readonly mountPoints = new Set<string>();
  fault: FileFault | undefined;
  readonly #clock: Clock;
  readonly #root: FolderEntry;
  readonly #watches = new Map<FolderEntry, Set<(name: string | undefined) => void>>();
  #inodes = 1;
  #usedBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#root = this.#folder(undefined, '', 0o755);
  }

  /** What its files hold. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** All that is on it now, beside what is computed. */
  content(): readonly DiskEntry[] {
    return contentOf(this.#root);
  }

  /** Puts what another disk had beside what is there, or in its place, as of now. Nobody who watches is told. */
  restore(content: readonly DiskEntry[]): void {
    this.#restore(this.#root, content);
  }

  #restore(folder: FolderEntry, content: readonly DiskEntry[]): void {
    for (let i = 0; i < content.length; i++) {
      const entry = content[i] as DiskEntry;
      const { name } = entry;
      const there = folder.get(name);
      if (entry.kind === 'directory') {
        const inner = there?.kind === 'directory' ? there : this.#folder(folder, name, entry.mode);
        if (inner !== there) this.#put(folder, name, inner);
        this.#restore(inner, entry.inside);
      } else if (entry.kind === 'file') {
        this.#put(folder, name, this.#newFile(entry.mode, entry.data));
        this.#usedBytes += entry.data.length;
      } else this.#put(folder, name, new LinkEntry(this.#inodes++, this.#clock.now(), entry.target));
    }
  }

  #put(folder: FolderEntry, name: string, entry: Entry): void {
    this.#free(folder.get(name));
    folder.set(name, entry);
  }

  async read(path: string): Promise<Uint8Array> {
    const file = this.#file('read', path);
    return file.data.slice(0, file.sizeBytes);
  }

  async readText(path: string): Promise<string> {
    return this.#text(this.#file('readText', path));
  }

  async readTextIfExists(path: string): Promise<string | undefined> {
    this.#check('readTextIfExists', path);
    const made = this.computed.get(path)?.();
    if (made !== undefined) return made;
    const entry = this.#find(path);
    if (entry?.kind === 'directory') throw systemError('EISDIR', 'read', path);
    return entry && this.#text(entry as FileEntry);
  }

  async readAt(path: string, position: number, length: number): Promise<Uint8Array> {
    return slice(this.#file('readAt', path), position, length);
  }

  async open(path: string): Promise<OpenFile> {
    const file = this.#file('open', path);
    let closed = false;
    const opened = () => {
      if (closed) throw systemError('EBADF', 'read');
      return file;
    };
    return {
      readAt: async (position, length) => slice(opened(), position, length),
      stat: async () => this.#statOf(opened()),
      async [Symbol.asyncDispose]() {
        closed = true;
      },
    };
  }

  async write(path: string, data: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
    this.#check('write', path);
    const { mode = 0o600, atomic = true, uid, gid } = options;
    const bytes = typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data);
    const { parent, name } = atomic ? this.#place(path, 'open') : this.#followed(path);
    const old = parent.get(name);
    if (old?.kind === 'directory') throw systemError('EISDIR', atomic ? 'rename' : 'open', path);
    const oldBytes = old?.kind === 'file' ? old.sizeBytes : 0;
    // An atomic write holds both contents for a moment.
    this.#take(bytes.length, atomic ? 0 : oldBytes, path);
    if (atomic || old?.kind !== 'file') {
      const made = this.#newFile(mode, bytes);
      parent.set(name, made);
      this.#own(made, uid, gid);
    } else {
      old.data = bytes;
      old.sizeBytes = bytes.length;
      old.modifiedMs = this.#clock.now();
      this.#own(old, uid, gid);
    }
    this.#usedBytes += bytes.length - oldBytes;
    this.#changed(parent, name);
  }

  async append(path: string, data: Uint8Array | string): Promise<void> {
    this.#check('append', path);
    const bytes = typeof data === 'string' ? encoder.encode(data) : data;
    const { parent, name } = this.#followed(path);
    let file = parent.get(name);
    if (file !== undefined && file.kind !== 'file') throw systemError('EISDIR', 'open', path);
    this.#take(bytes.length, 0, path);
    if (file === undefined) {
      file = this.#newFile(0o600, NOTHING);
      parent.set(name, file);
    }
    const sizeBytes = file.sizeBytes + bytes.length;
    if (sizeBytes > file.data.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, 2 * file.data.length));
      larger.set(file.data.subarray(0, file.sizeBytes));
      file.data = larger;
    }
    file.data.set(bytes, file.sizeBytes);
    file.sizeBytes = sizeBytes;
    file.modifiedMs = this.#clock.now();
    this.#usedBytes += bytes.length;
    this.#changed(parent, name);
  }

  async makeDirectory(path: string, { mode = 0o700 }: { mode?: number } = {}): Promise<void> {
    this.#check('makeDirectory', path);
    let folder = this.#root;
    // `..` is walked: where links are, only that tells what is above.
    for (let from = 0; from < path.length; ) {
      const slash = path.indexOf('/', from);
      const to = slash < 0 ? path.length : slash;
      const name = path.slice(from, to);
      from = to + 1;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        folder = folder.parent ?? folder;
        continue;
      }
      const entry = folder.get(name);
      const there = entry?.kind === 'symlink' ? this.#find(this.#pathOf(folder, entry.target)) : entry;
      if (there !== undefined && there.kind !== 'directory') throw systemError('ENOTDIR', 'mkdir', path);
      if (there !== undefined) {
        folder = there;
        continue;
      }
      const made = this.#folder(folder, name, mode);
      folder.set(name, made);
      this.#changed(folder, name);
      folder = made;
    }
  }

  async list(path: string): Promise<string[]> {
    this.#check('list', path);
    const entry = this.#existing(path, 'scandir');
    if (entry.kind !== 'directory') throw systemError('ENOTDIR', 'scandir', path);
    return entry.names().sort();
  }

  async stat(path: string): Promise<FileStat> {
    this.#check('stat', path);
    return this.#statOf(this.#existing(path, 'stat'));
  }

  async statIfExists(path: string): Promise<FileStat | undefined> {
    this.#check('statIfExists', path);
    const entry = this.#find(path, false);
    return entry && this.#statOf(entry);
  }

  async remove(path: string): Promise<void> {
    this.#check('remove', path);
    if (this.#find(path, false) === undefined) return;
    const { parent, name } = this.#place(path, 'rm');
    const real = this.#pathOf(parent, name);
    for (const point of this.mountPoints) {
      if (point === real || point.startsWith(`${real}/`)) throw systemError('EBUSY', 'rm', point);
    }
    this.#free(parent.get(name));
    parent.delete(name);
    this.#changed(parent, name);
  }

  async removeDirectory(path: string): Promise<void> {
    this.#check('removeDirectory', path);
    const entry = this.#find(path, false);
    if (entry === undefined) return;
    if (entry.kind !== 'directory') throw systemError('ENOTDIR', 'rmdir', path);
    if (!entry.isEmpty) throw systemError('ENOTEMPTY', 'rmdir', path);
    await this.remove(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check('rename', from);
    const source = this.#place(from, 'rename');
    const target = this.#place(to, 'rename');
    const entry = source.parent.get(source.name);
    if (entry === undefined) throw systemError('ENOENT', 'rename', from);
    const there = target.parent.get(target.name);
    if (there === entry) return;
    if (there?.kind === 'directory') {
      if (entry.kind !== 'directory') throw systemError('EISDIR', 'rename', to);
      if (!there.isEmpty) throw systemError('ENOTEMPTY', 'rename', to);
    } else if (there !== undefined && entry.kind === 'directory') throw systemError('ENOTDIR', 'rename', to);
    if (entry.kind === 'directory' && isWithin(target.parent, entry)) throw systemError('EINVAL', 'rename', to);
    this.#free(there);
    source.parent.delete(source.name);
    target.parent.set(target.name, entry);
    if (entry.kind === 'directory') {
      entry.parent = target.parent;
      entry.name = target.name;
    }
    this.#changed(source.parent, source.name);
    this.#changed(target.parent, target.name);
  }

  async symlink(target: string, path: string): Promise<void> {
    this.#check('symlink', path);
    const { parent, name } = this.#place(path, 'symlink');
    if (parent.get(name) !== undefined) throw systemError('EEXIST', 'symlink', path);
    parent.set(name, new LinkEntry(this.#inodes++, this.#clock.now(), target));
    this.#changed(parent, name);
  }

  async readLink(path: string): Promise<string> {
    this.#check('readLink', path);
    const entry = this.#find(path, false);
    if (entry === undefined) throw systemError('ENOENT', 'readlink', path);
    if (entry.kind !== 'symlink') throw systemError('EINVAL', 'readlink', path);
    return entry.target;
  }

  async changeMode(path: string, mode: number): Promise<void> {
    this.#check('changeMode', path);
    this.#existing(path, 'chmod').mode = mode;
  }

  async changeOwner(path: string, uid: number, gid: number): Promise<void> {
    this.#check('changeOwner', path);
    this.#own(this.#existing(path, 'chown'), uid, gid);
  }

  async space(
    path: string,
  ): Promise<{ totalBytes: number; freeBytes: number; totalInodes: number; freeInodes: number }> {
    this.#check('space', path);
    this.#existing(path, 'statfs');
    const totalInodes = 1_000_000;
    return {
      totalBytes: this.spaceBytes,
      freeBytes: Math.max(0, this.spaceBytes - this.reservedBytes - this.#usedBytes),
      totalInodes,
      freeInodes: Math.max(0, totalInodes - this.#inodes),
    };
  }

  watch(path: string, changed: (name: string | undefined) => void): Disposable {
    this.#check('watch', path);
    const folder = this.#existing(path, 'watch');
    if (folder.kind !== 'directory') throw systemError('ENOTDIR', 'watch', path);
    const watchers = this.#watches.get(folder) ?? new Set();
    this.#watches.set(folder, watchers);
    const own = (name: string | undefined) => changed(name);
    watchers.add(own);
    return {
      [Symbol.dispose]: () => {
        watchers.delete(own);
        if (watchers.size === 0) this.#watches.delete(folder);
      },
    };
  }

  #check(operation: keyof Files, path: string): void {
    const code = this.fault?.(operation, path);
    if (code !== undefined) throw systemError(code, operation, path);
  }

  #newFile(mode: number, data: Uint8Array<ArrayBuffer>): FileEntry {
    return new FileEntry(mode, this.#inodes++, this.#clock.now(), data.length === 0 ? NOTHING : data);
  }

  #folder(parent: FolderEntry | undefined, name: string, mode: number): FolderEntry {
    return new FolderEntry(mode, this.#inodes++, this.#clock.now(), parent, name);
  }

  #own(entry: Entry, uid: number | undefined, gid: number | undefined): void {
    if (uid !== undefined && uid >= 0) entry.uid = uid;
    if (gid !== undefined && gid >= 0) entry.gid = gid;
  }

  #take(bytes: number, freed: number, path: string): void {
    if (this.#usedBytes - freed + bytes > this.spaceBytes - this.reservedBytes)
      throw systemError('ENOSPC', 'write', path);
  }

  #free(entry: Entry | undefined): void {
    if (entry?.kind === 'file') this.#usedBytes -= entry.sizeBytes;
    else if (entry?.kind === 'directory') for (const inside of entry.inside()) this.#free(inside);
  }

  #changed(folder: FolderEntry, name: string): void {
    folder.modifiedMs = this.#clock.now();
    const watchers = this.#watches.size > 0 ? this.#watches.get(folder) : undefined;
    if (watchers) this.#tell(folder, watchers, name);
  }

  /** Watchers are called later, as the system's are. */
  #tell(folder: FolderEntry, watchers: ReadonlySet<(name: string | undefined) => void>, name: string): void {
    for (const watcher of watchers) {
      queueMicrotask(() => {
        if (this.#watches.get(folder)?.has(watcher)) watcher(name);
      });
    }
  }

  #text(file: FileEntry): string {
    return new TextDecoder().decode(file.data.subarray(0, file.sizeBytes));
  }

  #statOf(entry: Entry): FileStat {
    const { kind, mode, uid, gid, modifiedMs, inode } = entry;
    const sizeBytes = entry.kind === 'file' ? entry.sizeBytes : entry.kind === 'symlink' ? entry.target.length : 0;
    return { kind, mode, uid, gid, modifiedMs, inode, sizeBytes, device: 1 };
  }

  #file(operation: keyof Files, path: string): FileEntry {
    this.#check(operation, path);
    const entry = this.#existing(path, 'open');
    if (entry.kind === 'directory') throw systemError('EISDIR', 'read', path);
    return entry as FileEntry;
  }

  #existing(path: string, call: string): Entry {
    const entry = this.#find(path);
    if (entry === undefined) throw systemError('ENOENT', call, path);
    return entry;
  }

  /** The folder that holds `path`'s last part, links on the way followed, and that part. */
  #place(path: string, call: string): { parent: FolderEntry; name: string } {
    const [from, to] = lastPart(path);
    if (from === to) throw systemError('EBUSY', call, path);
    const name = path.slice(from, to);
    const parent = this.#find(path.slice(0, from));
    if (parent === undefined) throw systemError('ENOENT', call, path);
    if (parent.kind !== 'directory') throw systemError('ENOTDIR', call, path);
    return { parent, name };
  }

  /** As `#place`, of where the link at `path` leads in the end, if one is there: where a write in place goes. */
  #followed(path: string): { parent: FolderEntry; name: string } {
    let place = this.#place(path, 'open');
    for (let links = 0; links < 40; links++) {
      const entry = place.parent.get(place.name);
      if (entry?.kind !== 'symlink') return place;
      place = this.#place(this.#pathOf(place.parent, entry.target), 'open');
    }
    throw systemError('ELOOP', 'open', path);
  }

  /** `follow`: also where the last part is a link. Names are cut out of the path one by one: most walks are short. */
  #find(path: string, follow = true): Entry | undefined {
    let left = path;
    let links = 0;
    let found: Entry = this.#root;
    for (let from = 0; from < left.length; ) {
      const slash = left.indexOf('/', from);
      const to = slash < 0 ? left.length : slash;
      const name = left.slice(from, to);
      from = to + 1;
      if (name === '' || name === '.') continue;
      if (found.kind !== 'directory') return undefined;
      const entry: Entry | undefined = name === '..' ? (found.parent ?? found) : found.get(name);
      if (entry?.kind === 'symlink' && (follow || hasParts(left, from))) {
        if (++links > 40) throw systemError('ELOOP', 'open', path);
        left = from < left.length ? `${entry.target}/${left.slice(from)}` : entry.target;
        from = 0;
        if (entry.target.startsWith('/')) found = this.#root;
      } else if (entry === undefined) return undefined;
      else found = entry;
    }
    return found;
  }

  /** The absolute path of `target` as seen from `folder`. */
  #pathOf(folder: FolderEntry, target: string): string {
    if (target.startsWith('/')) return target;
    const names: string[] = [];
    for (let at = folder; at.parent !== undefined; at = at.parent) names.unshift(at.name);
    return ['', ...names, target].join('/');
  }
}

function contentOf(folder: FolderEntry): DiskEntry[] {
  return folder
    .names()
    .sort()
    .map((name): DiskEntry => {
      const entry = folder.get(name) as Entry;
      const { mode } = entry;
      if (entry.kind === 'directory') return { kind: 'directory', name, mode, inside: contentOf(entry) };
      if (entry.kind === 'symlink') return { kind: 'symlink', name, target: entry.target };
      // As long as the file, so that who appends to it makes an array of its own.
      return { kind: 'file', name, mode, data: entry.data.slice(0, entry.sizeBytes) };
    });
}

function slice({ data, sizeBytes }: FileEntry, position: number, length: number): Uint8Array {
  return data.slice(Math.min(position, sizeBytes), Math.min(position + length, sizeBytes));
}

function isWithin(folder: FolderEntry, outer: FolderEntry): boolean {
  for (let at: FolderEntry | undefined = folder; at !== undefined; at = at.parent) if (at === outer) return true;
  return false;
}

/** Where the last part of a path begins and ends. */
function lastPart(path: string): [from: number, to: number] {
  for (let to = path.length; to > 0; ) {
    const from = path.lastIndexOf('/', to - 1) + 1;
    if (from < to && !(to === from + 1 && path[from] === '.')) return [from, to];
    to = from === to ? to - 1 : from;
  }
  return [0, 0];
}

/** Whether something is left of a path besides slashes. */
function hasParts(path: string, from: number): boolean {
  for (let at = from; at < path.length; at++) if (path[at] !== '/') return true;
  return false;
}
