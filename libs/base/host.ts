import type { Duplex, Readable, Writable } from 'node:stream';

/**
 * The machine as an argument: files, processes, sockets and facts. The kubelet, the stores and the command take a
 * `Host`: `createNodeHost()` (`node/node-host.ts`) is the machine itself, `MemoryHost` (`libs/testing`) a fake of it.
 *
 * Every method that fails throws an `Error` with the system's `code` (`ENOENT`, `ENOSPC`, `EADDRINUSE`); a message for
 * users is made where the cause is known. Paths are absolute.
 *
 * A host does not know of virtual time: who uses a real one under a `VirtualClock` holds the clock meanwhile.
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

export interface WriteOptions {
  readonly mode?: number;
  readonly atomic?: boolean;
  /** Owner; each alone leaves the other as it is. Needs the right to change owners. */
  readonly uid?: number;
  readonly gid?: number;
}

/** A file held open: the same file whatever happens to its name. */
export interface OpenFile extends AsyncDisposable {
  /** Up to `length` bytes from `position`; fewer at the end. */
  readAt(position: number, length: number): Promise<Uint8Array>;
  stat(): Promise<FileStat>;
}

export interface Files {
  /** Throws `ENOENT` where there is none. */
  read(path: string): Promise<Uint8Array>;
  readText(path: string): Promise<string>;
  /** As `readText`, or undefined where there is no such file. */
  readTextIfExists(path: string): Promise<string | undefined>;
  /** Up to `length` bytes from `position`; fewer at the end. */
  readAt(path: string, position: number, length: number): Promise<Uint8Array>;
  /** For reading; dispose the result. Throws `ENOENT` where there is none. */
  open(path: string): Promise<OpenFile>;
  /**
   * Writes the whole file. `atomic` (default true) goes through a temporary name in the same folder (`.tutti-….tmp`,
   * which only a crash leaves behind), fsync, rename, and fsync of the folder: a reader or a crash sees the old or the
   * new content, and when the promise resolves the new one is durable. A link at `path` is replaced, not followed.
   * Without `atomic` the file is written in place, following links, and nothing is said about crashes.
   * `mode` (default 0o600) is set exactly, whatever the umask; in place it counts for new files only.
   */
  write(path: string, data: Uint8Array | string, options?: WriteOptions): Promise<void>;
  /** Makes the file with mode 0o600 where there is none. Not durable until the system writes it out. */
  append(path: string, data: Uint8Array | string): Promise<void>;
  /**
   * Makes the folder and its parents. `mode` (default 0o700) is set exactly on the folder, under the umask on its
   * parents. Exists already: fine, and its mode stays.
   */
  makeDirectory(path: string, options?: { mode?: number }): Promise<void>;
  /** The names in a folder, sorted; without `.` and `..`. */
  list(path: string): Promise<string[]>;
  /** Follows links. */
  stat(path: string): Promise<FileStat>;
  /** Like `stat`, without following a link; undefined where there is nothing. */
  statIfExists(path: string): Promise<FileStat | undefined>;
  /**
   * Removes a file or a tree; nothing there: fine. Links are removed, not followed. Never crosses a mount point: where
   * something is mounted on `path` or below, the error has the code `EBUSY`, and on Linux nothing at all is removed.
   * Nobody else may be at work in the tree: what is swapped for a link meanwhile is not noticed.
   */
  remove(path: string): Promise<void>;
  /**
   * Removes one folder that has nothing in it; nothing there: fine. Throws `ENOTEMPTY` (a cgroup: `EBUSY`). Cgroups go
   * this way, as the files in them cannot be removed.
   */
  removeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  changeMode(path: string, mode: number): Promise<void>;
  changeOwner(path: string, uid: number, gid: number): Promise<void>;
  /** Free and total bytes and inodes of the file system that holds `path`. */
  space(path: string): Promise<{ totalBytes: number; freeBytes: number; totalInodes: number; freeInodes: number }>;
  /**
   * Calls `changed` with a name in the folder (or `undefined`: look at everything) after something was made, changed or
   * removed there; several changes may come as one call, one as several. Not what is in folders within. `path` must
   * exist; what becomes of the watch when `path` itself is removed is not promised. Does not keep the process alive,
   * and calls nothing after its disposal.
   */
  watch(path: string, changed: (name: string | undefined) => void): Disposable;
}

export interface RunResult {
  /** The exit code; 128 and the signal's number when a signal ended it, as in a shell. */
  readonly code: number;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly input?: string | Uint8Array;
  /** Set on top of this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** When it fires, the process is killed (SIGKILL); `run` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** `run` alone: output beyond this, for each of the two streams, is dropped; default 16 MiB. */
  readonly outputBytesMax?: number;
}

/**
 * A running process. Its disposal asks it to end (SIGTERM), kills it after five seconds, and resolves when it is gone;
 * a detached one is left running.
 */
export interface ChildProcess extends AsyncDisposable {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  /** SIGTERM by default. Nothing happens where it has ended. */
  kill(signal?: string): void;
}

export interface SpawnOptions extends Omit<ProcessOptions, 'outputBytesMax'> {
  /** In a session of its own, outliving this process. */
  readonly detached?: boolean;
  /** Both outputs are appended to this file (made with mode 0o600); `stdout` and `stderr` are then empty. */
  readonly outputFile?: string;
}

export interface Processes {
  /** Runs to its end. A code that is not 0 is a result, not an error; a program that is not there throws `ENOENT`. */
  run(program: string, args: readonly string[], options?: ProcessOptions): Promise<RunResult>;
  /** Starts and returns at once. A program that is not there throws `ENOENT`, one that may not be run `EACCES`. */
  spawn(program: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Signal 0 asks whether it is there; false when it is not. `pid` is 1 or more: groups are not signalled. */
  signal(pid: number, signal: string | 0): boolean;
}

/** Its disposal stops listening and closes the connections that are still open. */
export interface Listener extends AsyncDisposable {
  /** The address, or the path of a unix socket. */
  readonly address: string;
  /** What the system chose where 0 was asked for; 0 for unix sockets. */
  readonly port: number;
}

export interface UdpSocket extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** May be lost like any datagram; errors are not told. */
  send(data: Uint8Array, port: number, address: string): void;
}

export type ConnectTarget = { readonly host: string; readonly port: number } | { readonly path: string };
export type ListenTarget =
  | { readonly host: string; readonly port: number }
  | { readonly path: string; readonly mode?: number };
export type UdpReceiver = (data: Uint8Array, from: { address: string; port: number }) => void;

/**
 * Streams over TCP or unix sockets. Each direction ends by itself (`end()` here is `'end'` there, and the other way may
 * go on), so both sides must end or destroy. Errors of a stream that nobody listens for end it silently.
 */
export interface Sockets {
  /** Connects; rejects with the system's error, or with `signal.reason` when it fires before the connection stands. */
  connect(target: ConnectTarget, options?: { signal?: AbortSignal }): Promise<Duplex>;
  /**
   * Port 0: any. A unix socket (`mode` default 0o600) that is there but that nobody listens on, as a crash leaves it,
   * is replaced; otherwise `EADDRINUSE`. The socket's file goes with the listener.
   */
  listen(target: ListenTarget, accept: (connection: Duplex) => void): Promise<Listener>;
  udp(target: { host: string; port: number }, receive: UdpReceiver): Promise<UdpSocket>;
}

/** What the machine is. All but the functions is read once, when the host is made. */
export interface Facts {
  readonly platform: 'linux' | 'darwin' | 'win32' | string;
  readonly architecture: 'amd64' | 'arm64' | string;
  readonly hostname: string;
  readonly pid: number;
  readonly uid: number;
  readonly home: string;
  /** How many this process may use at once. */
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kernelRelease: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `{ name: 'eth0', address: '10.0.0.2', prefixLength: 24, mac, internal }` for every address, now. */
  addresses(): { name: string; address: string; prefixLength: number; family: 4 | 6; mac: string; internal: boolean }[];
  /** CPU time of this process in milliseconds and its resident memory in bytes. */
  usage(): { cpuMs: number; residentBytes: number };
}
