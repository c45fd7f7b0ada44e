import type { FileStat, OpenFile } from '../../../libs/base/host.ts';
import type { LogFiles } from '../log-reader.ts';

/** Where a simulated runtime writes its containers' logs. */
export interface SimulatedLogs {
  append(path: string, data: Uint8Array): void;
}

interface MemoryFile {
  bytes: Uint8Array;
  size: number;
  readonly inode: number;
}

/** What a log keeps when nobody rotates it: the rest is dropped, as on a full disk. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** Log files in memory, as the log reader wants them; `rename` and `remove` are for rotation and clean-up. */
export class MemoryLogFiles implements SimulatedLogs, LogFiles {
  readonly #files = new Map<string, MemoryFile>();
  readonly #watchers = new Map<string, Set<(name: string | undefined) => void>>();
  #nextInode = 1;

  append(path: string, data: Uint8Array): void {
    let file = this.#files.get(path);
    if (!file) {
      file = { bytes: new Uint8Array(0), size: 0, inode: this.#nextInode++ };
      this.#files.set(path, file);
    }
    const size = Math.min(FILE_BYTES_MAX, file.size + data.length);
    if (size > file.bytes.length) {
      const grown = new Uint8Array(Math.max(size, file.bytes.length * 2, 256));
      grown.set(file.bytes.subarray(0, file.size));
      file.bytes = grown;
    }
    file.bytes.set(data.subarray(0, size - file.size), file.size);
    file.size = size;
    this.#tell(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#need(from);
    this.#files.delete(from);
    this.#files.set(to, file);
    this.#tell(from);
    this.#tell(to);
  }

  /** Removes a file, or every file below a folder. */
  async remove(path: string): Promise<void> {
    for (const name of [...this.#files.keys()]) {
      if (name !== path && !name.startsWith(`${path}/`)) continue;
      this.#files.delete(name);
      this.#tell(name);
    }
  }

  async list(folder: string): Promise<string[]> {
    const prefix = `${folder}/`;
    const names = [...this.#files.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length).split('/')[0] as string);
    return [...new Set(names)].sort();
  }

  async open(path: string): Promise<OpenFile> {
    const file = this.#need(path);
    return {
      readAt: async (position, length) => file.bytes.slice(position, Math.min(file.size, position + length)),
      stat: async () => statOf(file),
      async [Symbol.asyncDispose]() {},
    };
  }

  async statIfExists(path: string): Promise<FileStat | undefined> {
    const file = this.#files.get(path);
    return file && statOf(file);
  }

  watch(folder: string, changed: (name: string | undefined) => void): Disposable {
    const watchers = this.#watchers.get(folder) ?? new Set();
    this.#watchers.set(folder, watchers.add(changed));
    return {
      [Symbol.dispose]: () => {
        watchers.delete(changed);
        if (watchers.size === 0 && this.#watchers.get(folder) === watchers) this.#watchers.delete(folder);
      },
    };
  }

  /** Every file with its content, for a snapshot. */
  entries(): [string, Uint8Array][] {
    return [...this.#files].map(([path, file]) => [path, file.bytes.slice(0, file.size)]);
  }

  #need(path: string): MemoryFile {
    const file = this.#files.get(path);
    if (!file) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    return file;
  }

  #tell(path: string): void {
    const slash = path.lastIndexOf('/');
    for (const changed of [...(this.#watchers.get(path.slice(0, slash)) ?? [])]) changed(path.slice(slash + 1));
  }
}

function statOf(file: MemoryFile): FileStat {
  return {
    kind: 'file',
    sizeBytes: file.size,
    mode: 0o600,
    uid: 0,
    gid: 0,
    modifiedMs: 0,
    inode: file.inode,
    device: 1,
  };
}
