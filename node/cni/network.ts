import type { Clock } from '../../libs/base/clock.ts';
import type { Host } from '../../libs/base/host.ts';
import { HOST_PORTS_REMOVAL } from './host-ports.ts';
import {
  cniConfiguration,
  masqueradeTable,
  type NetworkNode,
  type NetworkPlan,
  planNetwork,
  VXLAN_DEVICE,
} from './plan.ts';

export interface NetworkOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly self: NetworkNode;
  /** All nodes of the cluster; `self` may be among them. */
  readonly nodes: readonly NetworkNode[];
  readonly clusterCidrs: readonly string[];
  /** Where the runtime looks for configurations; default `/etc/cni/net.d`. */
  readonly directory?: string;
}

export type NetworkResult =
  | { readonly kind: 'ours'; readonly plan: NetworkPlan }
  /** Somebody else's configuration is there: nothing was done. */
  | { readonly kind: 'foreign'; readonly file: string };

/** A program of the network said no; the message names it and has its first words. */
export class NetworkError extends Error {
  constructor(program: string, stderr: string) {
    super(`${program}: ${stderr.trim().split('\n').slice(0, 2).join(' ')}`);
    this.name = 'NetworkError';
  }
}

const DIRECTORY = '/etc/cni/net.d';
const FILE = '10-tutti.conflist';
/** Marks our routes; a number that no routing program has in iproute2's list. */
const ROUTE_PROTOCOL = '76';
const VXLAN_ID = 4097;
const VXLAN_PORT = 8472;

/**
 * Brings this node's network to what `planNetwork` says: routes first, then the runtime's configuration, as its presence
 * makes the node ready. Call it again when nodes come, go or change; what is there already is left alone. A configuration
 * that somebody else put into the folder is honoured: whoever made it makes the routes as well.
 */
export async function applyNetwork(options: NetworkOptions): Promise<NetworkResult> {
  const { host, self, nodes, clusterCidrs, directory = DIRECTORY } = options;
  const { files, facts } = host;
  const names = (await files.statIfExists(directory)) ? await files.list(directory) : [];
  // Runtimes take the first one by name. One that comes after ours, once ours is in use, changes nothing.
  const [first] = names.filter((name) => /\.(?:conf|conflist|json)$/.test(name)).sort();
  const foreign = first === FILE ? undefined : first;
  if (foreign !== undefined) return { kind: 'foreign', file: `${directory}/${foreign}` };

  const own = facts.addresses();
  const device = own.find(({ address }) => self.addresses.includes(address))?.name;
  const mtu = Number((await files.readTextIfExists(`/sys/class/net/${device}/mtu`)) ?? 1500);
  const plan = planNetwork(self, nodes, own, mtu);
  await applyTunnel(options, plan);
  await applyRoutes(options, plan);
  await files.write('/proc/sys/net/ipv4/ip_forward', '1', { atomic: false });
  await run(options, 'nft', ['-f', '-'], masqueradeTable(self.podCidrs, clusterCidrs));
  const text = cniConfiguration({ podCidrs: self.podCidrs, mtu: plan.mtu });
  const path = `${directory}/${FILE}`;
  if ((await files.readTextIfExists(path)) !== text) {
    await files.makeDirectory(directory, { mode: 0o755 });
    await files.write(path, text, { mode: 0o644 });
  }
  return { kind: 'ours', plan };
}

/** Takes away what `applyNetwork` made, for `reset`; pods and their bridge are the runtime's to remove. Idempotent. */
export async function removeNetwork(options: Pick<NetworkOptions, 'host' | 'clock' | 'directory'>): Promise<void> {
  await options.host.files.remove(`${options.directory ?? DIRECTORY}/${FILE}`);
  for (const family of ['-4', '-6']) {
    const routes = await ourRoutes(options, family);
    if (routes.length > 0) await run(options, 'ip', [family, '-batch', '-'], routes.map(deletion).join(''));
  }
  if (await tunnelOf(options)) await run(options, 'ip', ['link', 'del', VXLAN_DEVICE]);
  await run(
    options,
    'nft',
    ['-f', '-'],
    `add table inet tutti-cni\ndelete table inet tutti-cni\n${HOST_PORTS_REMOVAL}`,
  );
}

type Running = Pick<NetworkOptions, 'host' | 'clock'>;

async function run({ host, clock }: Running, program: string, args: readonly string[], input = ''): Promise<string> {
  using _held = clock.hold(program);
  const { code, stdout, stderr } = await host.processes.run(program, args, { input });
  if (code !== 0) throw new NetworkError(program, stderr);
  return stdout;
}

/** The tunnel's own hardware address; undefined where there is no tunnel. */
async function tunnelOf({ host }: Running): Promise<string | undefined> {
  return (await host.files.readTextIfExists(`/sys/class/net/${VXLAN_DEVICE}/address`))?.trim();
}

async function applyTunnel(options: NetworkOptions, { vxlan, mtu }: NetworkPlan): Promise<void> {
  const there = await tunnelOf(options);
  if (there !== undefined && there !== vxlan?.mac) await run(options, 'ip', ['link', 'del', VXLAN_DEVICE]);
  if (!vxlan) return;
  if (there !== vxlan.mac) {
    const { local, mac } = vxlan;
    const kind = `type vxlan id ${VXLAN_ID} local ${local} dstport ${VXLAN_PORT} nolearning`;
    const lines = [`link add ${VXLAN_DEVICE} address ${mac} mtu ${mtu} ${kind}`, `link set ${VXLAN_DEVICE} up`];
    // The address that packets of the node itself come from; the network's first, as its bridge has the second.
    const first = options.self.podCidrs.find((cidr) => !cidr.includes(':'))?.split('/')[0];
    if (first) lines.push(`addr add ${first}/32 dev ${VXLAN_DEVICE}`);
    await run(options, 'ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }
  const neighbours = vxlan.peers.map(
    ({ gateway, mac }) => `neigh replace ${gateway} lladdr ${mac} dev ${VXLAN_DEVICE} nud permanent\n`,
  );
  const forwarding = vxlan.peers.map(({ address, mac }) => `fdb replace ${mac} dev ${VXLAN_DEVICE} dst ${address}\n`);
  await run(options, 'ip', ['-batch', '-'], neighbours.join(''));
  await run(options, 'bridge', ['-batch', '-'], forwarding.join(''));
}

interface KernelRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev: string;
}

async function ourRoutes(options: Running, family: string): Promise<KernelRoute[]> {
  const words = [family, '-json', 'route', 'show', 'proto', ROUTE_PROTOCOL];
  return JSON.parse((await run(options, 'ip', words)) || '[]') as KernelRoute[];
}

const deletion = ({ dst, dev }: KernelRoute): string => `route del ${dst} dev ${dev} proto ${ROUTE_PROTOCOL}\n`;

async function applyRoutes(options: NetworkOptions, { routes }: NetworkPlan): Promise<void> {
  for (const family of ['-4', '-6']) {
    const there = await ourRoutes(options, family);
    const wanted = routes.filter(({ cidr }) => cidr.includes(':') === (family === '-6'));
    const gone = there.filter(({ dst }) => !wanted.some(({ cidr }) => cidr === dst));
    const fresh = wanted.filter(
      ({ cidr, via, device }) => !there.some((one) => one.dst === cidr && one.gateway === via && one.dev === device),
    );
    const lines = [
      ...gone.map(deletion),
      ...fresh.map(({ cidr, via, device }) => {
        const onlink = device === VXLAN_DEVICE ? ' onlink' : '';
        return `route replace ${cidr} via ${via} dev ${device}${onlink} proto ${ROUTE_PROTOCOL}\n`;
      }),
    ];
    if (lines.length > 0) await run(options, 'ip', [family, '-batch', '-'], lines.join(''));
  }
}
