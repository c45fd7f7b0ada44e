import type { Clock } from '../base/clock.ts';
import type { Facts, Host } from '../base/host.ts';
import { MemoryFiles } from './memory-files.ts';
import { MemoryProcesses } from './memory-processes.ts';
import { MemoryNetwork, MemorySockets } from './memory-sockets.ts';

export interface MemoryHostOptions {
  /** What files' times come from. */
  readonly clock: Clock;
  readonly facts?: Partial<Facts>;
  /** Shared by hosts that shall reach each other; default: one of its own. */
  readonly network?: MemoryNetwork;
}

/** A machine in memory: 4 CPUs, 8 GiB, an empty disk, no programs. Nothing of it leaves the process. */
export class MemoryHost implements Host {
  readonly files: MemoryFiles;
  readonly processes: MemoryProcesses;
  readonly sockets: MemorySockets;
  readonly facts: Facts;

  constructor({ clock, facts, network = new MemoryNetwork() }: MemoryHostOptions) {
    this.files = new MemoryFiles(clock);
    this.processes = new MemoryProcesses(this.files);
    this.sockets = new MemorySockets(network);
    this.facts = Object.freeze({
      platform: 'linux',
      architecture: 'amd64',
      hostname: 'host',
      pid: 1,
      uid: 0,
      home: '/root',
      cpus: 4,
      memoryBytes: 8 * 2 ** 30,
      kernelRelease: '6.1.0',
      env: Object.freeze({}),
      addresses: () => [
        { name: 'lo', address: '127.0.0.1', prefixLength: 8, family: 4, mac: '00:00:00:00:00:00', internal: true },
        { name: 'eth0', address: '10.0.0.1', prefixLength: 24, family: 4, mac: '02:00:0a:00:00:01', internal: false },
      ],
      usage: () => ({ cpuMs: 0, residentBytes: 0 }),
      ...facts,
    } satisfies Facts);
  }
}
