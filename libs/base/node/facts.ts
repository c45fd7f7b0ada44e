import * as os from 'node:os';
import process from 'node:process';
import type { Facts } from '../host.ts';

/** What the API calls the architectures that Node names otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** The machine's facts, as they are now. */
export function readNodeFacts(): Facts {
  return Object.freeze({
    platform: process.platform,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    hostname: os.hostname(),
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    home: os.homedir(),
    cpus: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernelRelease: os.release(),
    env: Object.freeze({ ...process.env }),
    addresses() {
      return Object.entries(os.networkInterfaces()).flatMap(([name, list]) =>
        (list ?? []).map(({ address, cidr, family, mac, internal }) => ({
          name,
          address,
          prefixLength: Number(cidr?.split('/')[1] ?? (family === 'IPv4' ? 32 : 128)),
          family: family === 'IPv4' ? (4 as const) : (6 as const),
          mac,
          internal,
        })),
      );
    },
    usage() {
      const { user, system } = process.cpuUsage();
      return { cpuMs: (user + system) / 1000, residentBytes: process.memoryUsage.rss() };
    },
  });
}
