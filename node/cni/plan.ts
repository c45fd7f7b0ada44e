import { cidrContains, networkOf } from '../../libs/machinery/cidr.ts';
import { ipVersion, parseIp } from '../../libs/machinery/ip.ts';

/** What CNI's plugins call it, also in the files that they keep. */
export const NETWORK_NAME = 'tutti';
/** The device that all pods of a node hang on. */
export const BRIDGE = 'cni0';

/** A node as the network sees it; made from `status.addresses` (InternalIP) and `spec.podCIDRs`. */
export interface NetworkNode {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly podCidrs: readonly string[];
}

export interface OwnAddress {
  /** The device: `eth0`. */
  readonly name: string;
  readonly address: string;
  readonly prefixLength: number;
}

export interface PlannedRoute {
  readonly cidr: string;
  readonly via: string;
  readonly device: string;
}

/** What the kernel of one node needs to reach the pods of all others. */
export interface NetworkPlan {
  /** Bytes that a packet of a pod may have. */
  readonly mtu: number;
  readonly routes: readonly PlannedRoute[];
  /** Only where a node is on another network. */
  readonly vxlan?: {
    readonly local: string;
    readonly mac: string;
    readonly peers: readonly { readonly address: string; readonly mac: string; readonly gateway: string }[];
  };
  /** Nodes whose pods cannot be reached, and why. */
  readonly unreachable: readonly { readonly node: string; readonly reason: string }[];
}

export const VXLAN_DEVICE = 'tutti-vxlan';
const VXLAN_OVERHEAD_BYTES = 50;

/**
 * Nodes on one network are each other's gateways (host-gw); to nodes elsewhere packets go through VXLAN, whose 50 bytes
 * every pod's MTU then leaves room for. The tunnel is over IPv4 and carries IPv4.
 */
export function planNetwork(
  self: NetworkNode,
  nodes: readonly NetworkNode[],
  own: readonly OwnAddress[],
  deviceMtu: number,
): NetworkPlan {
  const routes: PlannedRoute[] = [];
  const peers: { address: string; mac: string; gateway: string }[] = [];
  const unreachable: { node: string; reason: string }[] = [];
  const local = self.addresses.find((address) => ipVersion(address) === 4);
  for (const node of nodes) {
    if (node.name === self.name) continue;
    for (const cidr of node.podCidrs) {
      const version = ipVersion(cidr.split('/')[0] ?? '');
      const via = node.addresses.find((address) => ipVersion(address) === version);
      if (via === undefined) {
        unreachable.push({ node: node.name, reason: `it has no address of the family of ${cidr}` });
        continue;
      }
      const device = own.find((one) => self.addresses.includes(one.address) && onSameNetwork(one, via))?.name;
      if (device !== undefined) routes.push({ cidr, via, device });
      else if (version === 4 && local !== undefined) {
        const gateway = cidr.split('/')[0]!;
        peers.push({ address: via, mac: macOf(via), gateway });
        routes.push({ cidr, via: gateway, device: VXLAN_DEVICE });
      } else unreachable.push({ node: node.name, reason: `${via} is on another network, and the tunnel is for IPv4` });
    }
  }
  const tunnel = peers.length > 0 && local !== undefined;
  return {
    mtu: deviceMtu - (tunnel ? VXLAN_OVERHEAD_BYTES : 0),
    routes,
    unreachable,
    ...(tunnel ? { vxlan: { local, mac: macOf(local), peers } } : {}),
  };
}

function onSameNetwork({ address, prefixLength }: OwnAddress, other: string): boolean {
  const [ours, theirs] = [parseIp(address), parseIp(other)];
  return Boolean(ours && theirs && cidrContains(networkOf(ours, prefixLength), theirs));
}

/** Each end of the tunnel knows the other's hardware address without asking: a local one, made of the node's address. */
function macOf(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['0a', '58', ...bytes].join(':');
}

export interface CniOptions {
  readonly podCidrs: readonly string[];
  readonly mtu: number;
}

/**
 * The configuration that containerd reads: a bridge with addresses from the node's own networks, and hairpin so that an
 * endpoint reaches itself through its Service. Host ports are `HostPorts`' matter.
 */
export function cniConfiguration({ podCidrs, mtu }: CniOptions): string {
  const any = (cidr: string): string => (ipVersion(cidr.split('/')[0] ?? '') === 6 ? '::/0' : '0.0.0.0/0');
  const configuration = {
    cniVersion: '1.0.0',
    name: NETWORK_NAME,
    plugins: [
      {
        type: 'bridge',
        bridge: BRIDGE,
        isGateway: true,
        hairpinMode: true,
        mtu,
        ipam: {
          type: 'host-local',
          ranges: podCidrs.map((subnet) => [{ subnet }]),
          routes: [...new Set(podCidrs.map(any))].map((dst) => ({ dst })),
        },
      },
    ],
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}

/** The table that makes pods' connections out of the cluster come from the node: text for `nft -f`. */
export function masqueradeTable(podCidrs: readonly string[], clusterCidrs: readonly string[]): string {
  const rules = ([4, 6] as const).flatMap((version) => {
    const of = (all: readonly string[]): string[] =>
      all.filter((one) => ipVersion(one.split('/')[0] ?? '') === version);
    const [mine, all] = [of(podCidrs), of(clusterCidrs)];
    if (mine.length === 0) return [];
    const ip = version === 4 ? 'ip' : 'ip6';
    const beyond = `${ip} daddr != { ${(all.length > 0 ? all : mine).join(', ')} }`;
    const multicast = version === 4 ? '224.0.0.0/4' : 'ff00::/8';
    return [`    ${ip} saddr { ${mine.join(', ')} } ${beyond} ${ip} daddr != ${multicast} masquerade`];
  });
  return `add table inet tutti-cni
delete table inet tutti-cni
table inet tutti-cni {
  chain postrouting {
    type nat hook postrouting priority 99; policy accept;
${rules.join('\n')}
  }
}
`;
}
