import type { NodeAddress, NodeSystemInfo } from '../../../api/types/core/v1.generated.ts';
import type { Host } from '../../../libs/base/host.ts';
import {
  formatQuantity,
  mustParseQuantity,
  quantityOf,
  signOfQuantity,
  subtractQuantity,
} from '../../../libs/machinery/quantity.ts';
import type { KubeletConfig } from '../config.ts';

/** What does not change while the machine runs. */
export interface MachineFacts {
  readonly machineID: string;
  readonly systemUUID: string;
  readonly bootID: string;
  readonly osImage: string;
}

export async function readMachineFacts({ files, facts }: Host): Promise<MachineFacts> {
  const line = async (path: string) => ((await files.readTextIfExists(path).catch(() => undefined)) ?? '').trim();
  const [machineID, systemUUID, bootID, release] = await Promise.all([
    line('/etc/machine-id'),
    line('/sys/class/dmi/id/product_uuid'),
    line('/proc/sys/kernel/random/boot_id'),
    line('/etc/os-release'),
  ]);
  const osImage = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? facts.platform;
  return { machineID, systemUUID: systemUUID || machineID, bootID, osImage };
}

export function nodeInfo(host: Host, machine: MachineFacts, runtime: string, version: string): NodeSystemInfo {
  const { facts } = host;
  return {
    ...machine,
    kernelVersion: facts.kernelRelease,
    containerRuntimeVersion: runtime,
    kubeletVersion: version,
    kubeProxyVersion: '',
    operatingSystem: facts.platform === 'win32' ? 'windows' : facts.platform,
    architecture: facts.architecture,
  };
}

export type ResourceList = Record<string, string>;

/** As the API writes it, so that what was reported compares equal: 8 GiB are `8Gi`, not `8388608Ki`. */
const kibibytes = (bytes: number): string => formatQuantity(mustParseQuantity(`${Math.floor(bytes / 1024)}Ki`));

export async function capacityOf(host: Host, config: KubeletConfig): Promise<ResourceList> {
  const { facts, files } = host;
  const space = await files.space(config.rootDirectory).catch(() => undefined);
  return {
    cpu: String(facts.cpus),
    memory: kibibytes(facts.memoryBytes),
    pods: String(config.maxPods),
    ...(space && { 'ephemeral-storage': kibibytes(space.totalBytes) }),
    ...(await hugePages(files)),
    ...config.extendedResources,
  };
}

const HUGE_PAGES = '/sys/kernel/mm/hugepages';

/** The memory that the kernel keeps as huge pages, by size: `hugepages-2Mi`. */
async function hugePages(files: Host['files']): Promise<ResourceList> {
  const out: ResourceList = {};
  if (!(await files.statIfExists(HUGE_PAGES).catch(() => undefined))) return out;
  for (const folder of await files.list(HUGE_PAGES).catch(() => [])) {
    const size = Number(/^hugepages-(\d+)kB$/.exec(folder)?.[1]);
    const count = Number(await files.readTextIfExists(`${HUGE_PAGES}/${folder}/nr_hugepages`).catch(() => undefined));
    if (size > 0 && count >= 0) out[`hugepages-${kibibytes(size * 1024)}`] = kibibytes(count * size * 1024);
  }
  return out;
}

/** What is left for pods when the system and the eviction thresholds have had theirs. */
export function allocatableOf(capacity: ResourceList, config: KubeletConfig): ResourceList {
  const out: ResourceList = {};
  // What is kept as huge pages is no memory for anything else.
  const kept = Object.keys(capacity).flatMap((name) =>
    name.startsWith('hugepages-') ? [capacity[name] as string] : [],
  );
  for (const [name, text] of Object.entries(capacity)) {
    const total = mustParseQuantity(text);
    let left = total;
    if (name === 'memory') for (const pages of kept) left = subtractQuantity(left, mustParseQuantity(pages));
    const reserved = config.systemReserved[name];
    if (reserved !== undefined) left = subtractQuantity(left, mustParseQuantity(reserved));
    const signal = name === 'memory' ? 'memory.available' : name === 'ephemeral-storage' ? 'nodefs.available' : '';
    const threshold = config.evictionHard[signal];
    if (threshold?.endsWith('%')) {
      const bytes = Number(total.mantissa) * 10 ** total.exponent;
      left = subtractQuantity(
        left,
        quantityOf(Math.floor((bytes * Number.parseFloat(threshold)) / 100), 0, 'BinarySI'),
      );
      out[name] = String(Number(left.mantissa) * 10 ** left.exponent);
      continue;
    }
    if (threshold !== undefined) left = subtractQuantity(left, mustParseQuantity(threshold));
    out[name] = signOfQuantity(left) < 0 ? '0' : formatQuantity({ ...left, format: total.format });
  }
  return out;
}

/** The addresses by which others reach the node: those that were said, else the machine's first of each family. */
export function nodeIps(host: Host, config: KubeletConfig): string[] {
  if (config.nodeIps.length > 0) return [...config.nodeIps];
  const usable = host.facts.addresses().filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const first = (family: 4 | 6) => usable.find((one) => one.family === family)?.address;
  return [first(4), first(6)].filter((ip) => ip !== undefined);
}

export function nodeAddresses(ips: readonly string[], hostname: string): NodeAddress[] {
  return [...ips.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: hostname }];
}
