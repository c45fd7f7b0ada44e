import type { Duplex, Readable, Writable } from 'node:stream';

/**
 * The machine as an argument: files, processes, sockets and facts. The kubelet, the stores and the command take a
 * `Host`; tests hand in one that is confined to a temporary folder or to a network namespace, or a fake.
 *
 * Every method that fails throws an `Error` with the system's `code` (`ENOENT`, `ENOSPC`, `EADDRINUSE`); a message for
 * users is made where the cause is known.
 */
export interface Host {
  readonly files: Files;
  readonly processes: Processes;
  readonly sockets: Sockets;
  readonly facts: Facts;
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'socket' | 'device' | 'other';
  readonly sizeBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  readonly inode: number;
  readonly device: number;
}

export interface Files {
  /** Throws `ENOENT` where there is none. */
  read(path: string): Promise<Uint8Array>;
  readText(path: string): Promise<string>;
  /** As `readText`, or undefined where there is no such file. */
  readTextIfExists(path: string): Promise<string | undefined>;
  /** Up to `length` bytes from `position`; fewer at the end. */
  readAt(path: string, position: number, length: number): Promise<Uint8Array>;
  /**
   * Writes the whole file. `atomic` (default true) goes through a temporary name in the same folder, fsync and rename,
   * so that a reader or a crash sees the old or the new content. `mode` default 0o600.
   */
  write(
    path: string,
    data: Uint8Array | string,
    options?: { mode?: number; atomic?: boolean; uid?: number; gid?: number },
  ): Promise<void>;
  append(path: string, data: Uint8Array | string): Promise<void>;
  /** Makes the folder and its parents; `mode` default 0o700. Exists already: fine. */
  makeDirectory(path: string, options?: { mode?: number }): Promise<void>;
  list(path: string): Promise<string[]>;
  stat(path: string): Promise<FileStat>;
  /** Like `stat`, without following a link; undefined where there is nothing. */
  statIfExists(path: string): Promise<FileStat | undefined>;
  /** Removes a file or a tree; nothing there: fine. Never crosses a mount point. */
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  changeMode(path: string, mode: number): Promise<void>;
  changeOwner(path: string, uid: number, gid: number): Promise<void>;
  /** Free and total bytes and inodes of the file system that holds `path`. */
  space(path: string): Promise<{ totalBytes: number; freeBytes: number; totalInodes: number; freeInodes: number }>;
  /** Calls `changed` with a name in the folder (or `undefined`: look at everything). */
  watch(path: string, changed: (name: string | undefined) => void): Disposable;
}

export interface RunResult {
  readonly code: number;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Output beyond this is cut; default 16 MiB. */
  readonly outputBytesMax?: number;
}

export interface ChildProcess extends AsyncDisposable {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  kill(signal?: string): void;
}

export interface Processes {
  /** Runs to its end. A code that is not 0 is a result, not an error; a program that is not there throws `ENOENT`. */
  run(program: string, args: readonly string[], options?: ProcessOptions): Promise<RunResult>;
  /** `detached`: in a session of its own, outliving this process; its output goes to `outputFile`. */
  spawn(
    program: string,
    args: readonly string[],
    options?: ProcessOptions & { detached?: boolean; outputFile?: string },
  ): ChildProcess;
  /** Signal 0 asks whether it is there; false when it is not. */
  signal(pid: number, signal: string | 0): boolean;
}

export interface Listener extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
}

export interface UdpSocket extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  send(data: Uint8Array, port: number, address: string): void;
}

export interface Sockets {
  /** Connects to `tcp` host and port or to a unix socket. */
  connect(
    target: { host: string; port: number } | { path: string },
    options?: { signal?: AbortSignal },
  ): Promise<Duplex>;
  listen(
    target: { host: string; port: number } | { path: string; mode?: number },
    accept: (connection: Duplex) => void,
  ): Promise<Listener>;
  udp(
    target: { host: string; port: number },
    receive: (data: Uint8Array, from: { address: string; port: number }) => void,
  ): Promise<UdpSocket>;
}

export interface Facts {
  readonly platform: 'linux' | 'darwin' | 'win32' | string;
  readonly architecture: 'amd64' | 'arm64' | string;
  readonly hostname: string;
  readonly pid: number;
  readonly uid: number;
  readonly home: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kernelRelease: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `{ name: 'eth0', address: '10.0.0.2', prefixLength: 24, mac, internal }` for every address, now. */
  addresses(): { name: string; address: string; prefixLength: number; family: 4 | 6; mac: string; internal: boolean }[];
  /** CPU time of this process in milliseconds and its resident memory in bytes. */
  usage(): { cpuMs: number; residentBytes: number };
}
