// What containerd has forgotten: killed while it made a sandbox, it knows nothing of it when it comes back. Its shim and
// its network namespace would stay for ever.

import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface Shim {
  readonly pid: number;
  /** What it was started for: a sandbox. */
  readonly id: string;
  readonly namespace: string;
}

/** The shims of the containerd that listens on `socket`. */
export function shimsOf(socket: string): readonly Shim[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const words = textOf(`/proc/${name}/cmdline`).split('\0');
      const after = (flag: string): string => words[words.indexOf(flag) + 1] ?? '';
      if (!words[0]?.includes('containerd-shim') || after('-address') !== socket) return [];
      return [{ pid: Number(name), id: after('-id'), namespace: after('-namespace') }];
    });
}

/**
 * Those of them that hold nothing and that nobody will ask again: no process runs under them, and what containerd keeps
 * of each of its shims (`<state>/io.containerd.runtime.v2.task/<namespace>/<id>`) is not there.
 */
export function forgottenShims(socket: string, stateDirectory: string): readonly Shim[] {
  return shimsOf(socket).filter(({ pid, id, namespace }) => {
    if (existsSync(`${stateDirectory}/io.containerd.runtime.v2.task/${namespace}/${id}`)) return false;
    return isEmpty(pid);
  });
}

/** The files of the network namespaces that containerd has made, below its state: it keeps them there, as it was told. */
export function networkNamespacesOf(stateDirectory: string): readonly string[] {
  if (!existsSync(stateDirectory)) return [];
  return readdirSync(stateDirectory)
    .map((plugin) => `${stateDirectory}/${plugin}/netns`)
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
}

/** Those of them in which no process runs. */
export function withoutProcesses(namespaces: readonly string[]): readonly string[] {
  const used = new Set<string>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      used.add(readlinkSync(`/proc/${name}/ns/net`));
    } catch {
      // It has just ended.
    }
  }
  return namespaces.filter((path) => existsSync(path) && !used.has(`net:[${statSync(path).ino}]`));
}

/** No process runs under it. Threads have children of their own. */
export function isEmpty(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every(
      (thread) => textOf(`/proc/${pid}/task/${thread}/children`).trim() === '',
    );
  } catch {
    // It has just ended.
    return true;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
