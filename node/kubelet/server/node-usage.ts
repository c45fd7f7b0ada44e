import type { Host } from '../../../libs/base/host.ts';

/** What the whole machine uses; what cannot be read is left out. */
export interface NodeUsage {
  /** CPU time since the machine was started. */
  readonly cpuNanos?: bigint;
  readonly availableBytes?: number;
  readonly workingSetBytes?: number;
  readonly rxBytes?: number;
  readonly txBytes?: number;
  readonly processes?: number;
  readonly processesMax?: number;
  readonly startMs?: number;
  readonly fs?: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    readonly totalInodes: number;
    readonly freeInodes: number;
  };
}

/** The unit of `/proc/stat`, the same on every Linux. */
const NANOS_PER_TICK = 10_000_000n;

export async function nodeUsage({ files, facts }: Host, rootDirectory: string): Promise<NodeUsage> {
  const text = async (path: string) => (await files.readTextIfExists(path).catch(() => undefined)) ?? '';
  const [stat, meminfo, net, loadavg, pidMax, fs] = await Promise.all([
    text('/proc/stat'),
    text('/proc/meminfo'),
    text('/proc/net/dev'),
    text('/proc/loadavg'),
    text('/proc/sys/kernel/pid_max'),
    files.space(rootDirectory).catch(() => undefined),
  ]);
  const cpu = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(BigInt);
  // Idle and waiting are not use; the guests' time is in the users' already.
  const ticks = cpu && [0, 1, 2, 5, 6, 7].reduce((sum, i) => sum + (cpu[i] ?? 0n), 0n);
  const availableKb = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  const availableBytes = availableKb === undefined ? undefined : Number(availableKb) * 1024;
  const bootSeconds = /^btime (\d+)$/m.exec(stat)?.[1];
  const interfaces = interfacesOf(net);
  const sum = (of: 'rxBytes' | 'txBytes') => interfaces.reduce((all, one) => all + one[of], 0);
  const processes = /\d+\/(\d+)/.exec(loadavg)?.[1];
  return {
    ...(ticks !== undefined && { cpuNanos: ticks * NANOS_PER_TICK }),
    ...(availableBytes !== undefined && {
      availableBytes,
      workingSetBytes: Math.max(0, facts.memoryBytes - availableBytes),
    }),
    ...(interfaces.length > 0 && { rxBytes: sum('rxBytes'), txBytes: sum('txBytes') }),
    ...(processes !== undefined && { processes: Number(processes) }),
    ...(pidMax.trim() !== '' && { processesMax: Number(pidMax.trim()) }),
    ...(bootSeconds !== undefined && { startMs: Number(bootSeconds) * 1000 }),
    ...(fs && fs.totalBytes > 0 && { fs }),
  };
}

export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** What `/proc/net/dev` says, without the loopback. */
export function interfacesOf(text: string): InterfaceUsage[] {
  const all: InterfaceUsage[] = [];
  for (const [, name = '', rest = ''] of text.matchAll(/^ *([^\s:|]+): *(.*)$/gm)) {
    if (name === 'lo') continue;
    const [rxBytes = 0, , rxErrors = 0, rxDropped = 0, , , , , txBytes = 0, , txErrors = 0, txDropped = 0] = rest
      .trim()
      .split(/\s+/)
      .map(Number);
    all.push({ name, rxBytes, rxErrors, rxDropped, txBytes, txErrors, txDropped });
  }
  return all;
}
