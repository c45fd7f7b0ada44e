import { type NodePod, namespaceOf } from '../pod/objects.ts';

/** What a resolver is told: the CRI's DNSConfig. */
export interface Resolver {
  readonly servers: string[];
  readonly searches: string[];
  readonly options: string[];
}

export interface ClusterDns {
  /** Addresses of the cluster's DNS; none: pods use the node's. */
  readonly servers: readonly string[];
  readonly domain: string;
}

const SEARCHES_MAX = 32;
const SERVERS_MAX = 3;

export function parseResolvConf(text: string): Resolver {
  const resolver: Resolver = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (word === 'nameserver' && rest[0]) resolver.servers.push(rest[0]);
    else if (word === 'search') resolver.searches.splice(0, Number.POSITIVE_INFINITY, ...rest.filter((s) => s !== '.'));
    else if (word === 'options') resolver.options.push(...rest);
  }
  return resolver;
}

/** The pod's resolver (API concept "DNS for Services and Pods"). */
export function podResolver(pod: NodePod, cluster: ClusterDns, host: Resolver): Resolver {
  const { spec } = pod;
  const policy = spec?.dnsPolicy ?? 'ClusterFirst';
  const wantsCluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !spec?.hostNetwork);
  let base: Resolver = { servers: [], searches: [], options: [] };
  if (policy !== 'None') {
    base =
      wantsCluster && cluster.servers.length > 0
        ? {
            servers: [...cluster.servers],
            searches: [
              `${namespaceOf(pod)}.svc.${cluster.domain}`,
              `svc.${cluster.domain}`,
              cluster.domain,
              ...host.searches,
            ],
            options: ['ndots:5'],
          }
        : { servers: [...host.servers], searches: [...host.searches], options: [...host.options] };
  }
  const { nameservers = [], searches = [], options = [] } = spec?.dnsConfig ?? {};
  const own = (options ?? []).map(({ name = '', value }) => (value === undefined ? name : `${name}:${value}`));
  const replaced = new Set(own.map((option) => option.split(':')[0]));
  return {
    servers: [...new Set([...base.servers, ...(nameservers ?? [])])].slice(0, SERVERS_MAX),
    searches: [...new Set([...base.searches, ...(searches ?? [])])].slice(0, SEARCHES_MAX),
    options: [...base.options.filter((option) => !replaced.has(option.split(':')[0])), ...own],
  };
}
