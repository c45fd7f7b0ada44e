import type { Clock } from '../../libs/base/clock.ts';
import type { Host } from '../../libs/base/host.ts';
import type { Logger } from '../../libs/base/log.ts';
import { canonicalIp, ipVersion } from '../../libs/machinery/ip.ts';
import { jsonEqual } from '../../libs/machinery/json-equal.ts';
import { BRIDGE } from './plan.ts';

/** A port of the node that leads to one of a pod. */
export interface HostPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  /** Only at this address of the node; undefined: at all of the pod's family. */
  readonly hostIp?: string;
  readonly podIp: string;
  readonly podPort: number;
}

/** The kernel was told of ports and said no; the message has its first words. */
export class HostPortError extends Error {
  constructor(stderr: string) {
    super(`nft refused the pods’ host ports: ${stderr.trim().split('\n').slice(0, 3).join(' ')}`);
    this.name = 'HostPortError';
  }
}

const TABLE = 'inet tutti-host-ports';
/** Bit 13 of a packet's mark: this connection's sender becomes the node. Kubernetes' own is bit 14. */
const MASQUERADE_MARK = '0x2000';
const LOOPBACK = '127.0.0.0/8';
/** What an earlier process wrote stays until the pods that it left have been looked at. */
const FIRST_WRITE_MS = 100;

export const HOST_PORTS_REMOVAL = `add table ${TABLE}\ndelete table ${TABLE}\n`;

/** The table that leads from the node's ports into pods: text for `nft -f`. Pure. */
export function hostPortsTable(podCidrs: readonly string[], ports: readonly HostPort[]): string {
  if (ports.length === 0) return HOST_PORTS_REMOVAL;
  const rules = ports.flatMap(({ protocol, port, hostIp, podIp, podPort }) => {
    const six = ipVersion(podIp) === 6;
    const ip = six ? 'ip6' : 'ip';
    const here = hostIp === undefined ? `meta nfproto ${six ? 'ipv6' : 'ipv4'}` : `${ip} daddr ${hostIp}`;
    const match = `${here} ${protocol} dport ${port}`;
    // The pod answers these straight, past the node, or not at all: nobody outside has a loopback address.
    const near = podCidrs.filter((cidr) => cidr.includes(':') === six).concat(six ? [] : [LOOPBACK]);
    return [
      ...(near.length > 0
        ? [`${ip} saddr { ${near.join(', ')} } ${match} meta mark set meta mark or ${MASQUERADE_MARK}`]
        : []),
      `${match} dnat ${ip} to ${six ? `[${podIp}]` : podIp}:${podPort}`,
    ];
  });
  return `${HOST_PORTS_REMOVAL}table ${TABLE} {
  chain ports {
${rules.map((rule) => `    ${rule}\n`).join('')}  }
  chain prerouting { type nat hook prerouting priority -101; policy accept; fib daddr type local jump ports; }
  chain output { type nat hook output priority -101; policy accept; fib daddr type local jump ports; }
  chain postrouting {
    type nat hook postrouting priority 98; policy accept;
    meta mark and ${MASQUERADE_MARK} == 0 return
    meta mark set meta mark xor ${MASQUERADE_MARK}
    masquerade fully-random
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname "${BRIDGE}" ip daddr ${LOOPBACK} ct state new drop
  }
}
`;
}

/**
 * The host ports of this node's pods, in a table of our own: CNI's plugin for them is two processes for every pod, also for
 * those that have none. Does nothing before `use`, and nothing on a network of somebody else, whose plugins do it.
 */
export class HostPorts {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ports = new Map<string, readonly HostPort[]>();
  /** Undefined: the network is not ours. */
  #podCidrs: readonly string[] | undefined;
  #written: string | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: { readonly host: Host; readonly clock: Clock; readonly log: Logger }) {
    this.#host = options.host;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /**
   * The network is ours, with these networks for the node's pods; undefined: it is somebody else's. Resolves when ports of
   * pods that are no more have gone, too. Never rejects.
   */
  async use(podCidrs: readonly string[] | undefined): Promise<void> {
    this.#podCidrs = podCidrs;
    await this.#write().catch((error: unknown) => this.#log.warn('host ports do not lead into pods', { error }));
  }

  /** Resolves once just these ports lead to the pod; none when it ends. Rejects with a `HostPortError`; set them again then. */
  async set(uid: string, ports: readonly HostPort[]): Promise<void> {
    const before = this.#ports.get(uid) ?? [];
    if (ports.length === 0 && before.length === 0) return;
    const changed = !jsonEqual(before, ports);
    if (ports.length === 0) this.#ports.delete(uid);
    else this.#ports.set(uid, ports);
    await this.#write();
    if (changed && this.#podCidrs) await this.#forgetFlows([...before, ...ports]);
  }

  /** One transaction after the other, each with all that is wanted by then. */
  async #write(): Promise<void> {
    while (this.#writing) await this.#writing.catch(() => {});
    if (!this.#podCidrs) return;
    this.#writing = this.#transact().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #transact(): Promise<void> {
    if (this.#written === undefined) await this.#clock.sleep(FIRST_WRITE_MS);
    const text = hostPortsTable(this.#podCidrs ?? [], [...this.#ports.values()].flat());
    if (text === this.#written) return;
    using _held = this.#clock.hold('nft');
    const { files, processes } = this.#host;
    // Without it the kernel lets nothing from a loopback address leave by the bridge.
    const localnet = `/proc/sys/net/ipv4/conf/${BRIDGE}/route_localnet`;
    if (await files.statIfExists(localnet)) await files.write(localnet, '1', { atomic: false });
    const { code, stderr } = await processes.run('nft', ['-f', '-'], { input: text });
    if (code !== 0) throw new HostPortError(stderr);
    this.#written = text;
  }

  /** UDP has no connections that end: who has sent before would be led for ever as it was then. */
  async #forgetFlows(ports: readonly HostPort[]): Promise<void> {
    for (const { protocol, port, podIp } of ports) {
      if (protocol !== 'udp') continue;
      const family = ipVersion(podIp) === 6 ? 'ipv6' : 'ipv4';
      const flows = ['-D', '-f', family, '-p', 'udp', '--orig-port-dst', String(port)];
      using _held = this.#clock.hold('conntrack');
      // Its exit code says only whether there were any; without the program they end when they have been silent.
      await this.#host.processes.run('conntrack', flows).catch(() => undefined);
    }
  }
}

/** What a pod's container ports ask of the node, for each of the pod's addresses. Pure. */
export function hostPortsOf(
  ports: readonly {
    readonly containerPort: number;
    readonly hostPort?: number;
    readonly hostIP?: string;
    readonly protocol?: string;
  }[],
  podIps: readonly string[],
): HostPort[] {
  return ports.flatMap(({ containerPort, hostPort, hostIP, protocol: named = 'TCP' }) => {
    if (!hostPort) return [];
    const protocol = named.toLowerCase() as HostPort['protocol'];
    const hostIp = hostIP ? canonicalIp(hostIP) : undefined;
    return podIps.flatMap((podIp) => {
      if (hostIp !== undefined && ipVersion(hostIp) !== ipVersion(podIp)) return [];
      const only = hostIp === undefined || hostIp === '0.0.0.0' || hostIp === '::' ? {} : { hostIp };
      return [{ protocol, port: hostPort, ...only, podIp, podPort: containerPort }];
    });
  });
}
