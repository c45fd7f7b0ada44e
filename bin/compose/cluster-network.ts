// The networks of a cluster, and this machine's place in them.

import type { Facts } from '../../libs/base/host.ts';
import { addressAt, type Cidr, cidrsOverlap, formatCidr, parseCidr } from '../../libs/machinery/cidr.ts';
import { formatIp, isLinkLocal, isLoopback, parseIp } from '../../libs/machinery/ip.ts';
import { CommandError } from '../errors.ts';

export interface ClusterNetworks {
  /** Where pods' addresses come from; one, or one of each family. */
  readonly podCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  /** The first address of the first service network: the API server's. */
  readonly apiServerIp: string;
  /** The tenth: that of the cluster's DNS. */
  readonly dnsIp: string;
}

export const DEFAULT_POD_CIDR = '10.244.0.0/16';
export const DEFAULT_SERVICE_CIDR = '10.96.0.0/12';
const DNS_INDEX = 10;

/** Reads `10.244.0.0/16` or `10.244.0.0/16,fd00::/48`. Throws `CommandError` for what cannot work. */
export function clusterNetworks(podCidr: string, serviceCidr: string): ClusterNetworks {
  const pods = networksOf('--pod-cidr', podCidr);
  const services = networksOf('--service-cidr', serviceCidr);
  for (const one of pods) {
    for (const other of services) {
      if (!cidrsOverlap(one, other)) continue;
      throw new CommandError(
        `--pod-cidr ${formatCidr(one)} and --service-cidr ${formatCidr(other)} overlap; choose networks apart.`,
        2,
      );
    }
  }
  const [first, dns] = [1, DNS_INDEX].map((index) => addressAt(services[0]!, index));
  if (!first || !dns) throw new CommandError(`--service-cidr ${serviceCidr} is too small; /24 is a good size.`, 2);
  return {
    podCidrs: pods.map(formatCidr),
    serviceCidrs: services.map(formatCidr),
    apiServerIp: formatIp(first),
    dnsIp: formatIp(dns),
  };
}

export type NetworkOption = 'pod-cidr' | 'service-cidr';
const FIELD = { 'pod-cidr': 'podCidrs', 'service-cidr': 'serviceCidrs' } as const;

/**
 * The networks of a cluster that has been here `before`: nodes and Services keep what they were given from them. Throws
 * `CommandError` where other ones were `named`.
 */
export function keptNetworks(
  wanted: ClusterNetworks,
  named: readonly NetworkOption[],
  before: ClusterNetworks,
  dataDir: string,
): ClusterNetworks {
  for (const option of named) {
    const has = before[FIELD[option]].join(',');
    if (wanted[FIELD[option]].join(',') === has) continue;
    throw new CommandError(
      `The cluster in ${dataDir} has --${option} ${has}, and its objects keep addresses of it; leave the option out, or choose another --data-dir.`,
    );
  }
  return before;
}

function networksOf(option: string, text: string): Cidr[] {
  const all = text.split(',').map((one) => {
    const parsed = parseCidr(one);
    if (!parsed) throw new CommandError(`${option} wants networks such as 10.0.0.0/16, not "${one}".`, 2);
    return parsed.network;
  });
  if (all.length > 2 || new Set(all.map(({ version }) => version)).size !== all.length) {
    throw new CommandError(`${option} wants one network, or one of IPv4 and one of IPv6.`, 2);
  }
  return all;
}

/** Links that container tools make: no way to others. */
const VIRTUAL_LINK = /^(?:cni|docker|br-|veth|virbr|podman|flannel|cali|kube|tutti|lxc|lxd)/;

/**
 * The address of a node on this machine: `wanted`, which must be one of its own, or the one by which others reach it.
 * Throws `CommandError` where there is none.
 */
export function nodeAddress(facts: Pick<Facts, 'addresses'>, wanted: string | undefined): string {
  if (wanted !== undefined && !facts.addresses().some(({ address }) => address === wanted)) {
    throw new CommandError(`${wanted} is no address of this machine; give one of its own with --node-ip.`);
  }
  const found = wanted ?? ownAddress(facts);
  if (found !== undefined) return found;
  throw new CommandError(
    'This machine has no address besides loopback, so nobody could reach it; bring up a link, or give --node-ip.',
  );
}

/** The address by which others reach this machine; undefined where it has none. */
export function ownAddress(facts: Pick<Facts, 'addresses'>): string | undefined {
  const usable = facts.addresses().filter(({ address, internal }) => {
    const ip = parseIp(address);
    return !internal && ip?.version === 4 && !isLoopback(ip) && !isLinkLocal(ip);
  });
  return (usable.find(({ name }) => !VIRTUAL_LINK.test(name)) ?? usable[0])?.address;
}
