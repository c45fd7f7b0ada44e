import { canonicalIp, ipVersion } from '../../libs/machinery/ip.ts';
import { type Family, FOREIGN_PROXY_LABEL, type ProxyConfig, type ProxyService, type ProxySlice } from './objects.ts';

/** What one Service has in the table. Names and rules are nft's own words. */
export interface ServiceRules {
  /** Rules by chain. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Definitions by set. */
  readonly sets: ReadonlyMap<string, string>;
  /** Elements: `<map> <key>` → the verdict; of a set, the empty string. */
  readonly elements: ReadonlyMap<string, string>;
  /** Addresses that UDP goes to: what the kernel remembers of those that leave must be forgotten. */
  readonly udpAddresses: ReadonlySet<string>;
}

interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly local: boolean;
  readonly ready: boolean;
  /** Serves still, though it is about to end: better than nobody. */
  readonly lingering: boolean;
  /** The zones and nodes for which it is meant, where that was said. */
  readonly zones?: readonly string[];
  readonly nodes?: readonly string[];
}

interface Port {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly nodePort: number;
}

const AFFINITY_SECONDS = 10_800;

/**
 * What a Service wants in the kernel on this node: chains that choose an endpoint, and the elements of verdict maps that
 * lead to them from the cluster IP, external IPs, addresses of load balancers and node ports. Depends on nothing but its
 * arguments, and says nothing about other Services, so that a change touches one Service.
 *
 * `undefined`: nothing (headless, ExternalName, of another proxy).
 */
export function plan(
  service: ProxyService,
  slices: readonly ProxySlice[],
  config: ProxyConfig,
): ServiceRules | undefined {
  const { spec, metadata } = service;
  const addresses = clusterAddresses(service);
  if (addresses.length === 0 || spec?.type === 'ExternalName') return undefined;
  if (metadata?.labels && Object.hasOwn(metadata.labels, FOREIGN_PROXY_LABEL)) return undefined;
  const rules = {
    chains: new Map<string, string[]>(),
    sets: new Map<string, string>(),
    elements: new Map<string, string>(),
    udpAddresses: new Set<string>(),
  };
  const families = [...new Set(addresses.map(familyOf))];
  for (const { name = '', protocol = 'TCP', port, nodePort = 0 } of spec?.ports ?? []) {
    const one = { name, protocol: protocol.toLowerCase(), port, nodePort };
    for (const family of families)
      planPort(rules, service, one, family, endpointsOf(slices, one, family, config), config);
  }
  return rules;
}

/** Where a connection may lead that is made on this node to a port of a Service. */
export type Destinations =
  | { readonly to: 'endpoints'; readonly endpoints: readonly { readonly address: string; readonly port: number }[] }
  /** Nobody serves: the connection is refused. */
  | { readonly to: 'nobody' }
  /** None here, and others may not be asked: the connection hangs. */
  | { readonly to: 'void' };

/**
 * What `plan` puts into the kernel for connections from pods of this node, as data: for networks without a kernel.
 * `undefined`: the Service has no such port, or is not ours (headless, ExternalName, of another proxy).
 */
export function destinationsOf(
  service: ProxyService,
  slices: readonly ProxySlice[],
  at: { readonly port: number; readonly protocol: string; readonly family: Family; readonly external?: boolean },
  config: ProxyConfig,
): Destinations | undefined {
  const { spec, metadata } = service;
  if (clusterAddresses(service).length === 0 || spec?.type === 'ExternalName') return undefined;
  if (metadata?.labels && Object.hasOwn(metadata.labels, FOREIGN_PROXY_LABEL)) return undefined;
  const protocol = at.protocol.toLowerCase();
  const found = (spec?.ports ?? []).find(
    (one) => one.port === at.port && (one.protocol ?? 'TCP').toLowerCase() === protocol,
  );
  if (!found) return undefined;
  const port = { name: found.name ?? '', protocol, port: at.port, nodePort: found.nodePort ?? 0 };
  const all = endpointsOf(slices, port, at.family, config);
  if (usable(all).length === 0) return { to: 'nobody' };
  // From inside the cluster, addresses of the outside follow the policy of the cluster: any endpoint.
  const local = !at.external && spec?.internalTrafficPolicy === 'Local';
  const endpoints = local ? usable(all.filter((one) => one.local)) : nearby(usable(all), config);
  return endpoints.length === 0 ? { to: 'void' } : { to: 'endpoints', endpoints };
}

type Building = {
  readonly chains: Map<string, string[]>;
  readonly sets: Map<string, string>;
  readonly elements: Map<string, string>;
  readonly udpAddresses: Set<string>;
};

function planPort(
  rules: Building,
  service: ProxyService,
  port: Port,
  family: Family,
  endpoints: readonly Endpoint[],
  config: ProxyConfig,
): void {
  const { spec, metadata } = service;
  const { protocol } = port;
  const suffix = `${metadata?.namespace}/${metadata?.name}/${protocol}/${port.port}/${family}`;
  const everyone = nearby(usable(endpoints), config);
  const here = usable(endpoints.filter(({ local }) => local));
  const internalLocal = spec?.internalTrafficPolicy === 'Local';
  const externalLocal = spec?.externalTrafficPolicy === 'Local';
  const internal = clusterAddresses(service).filter((one) => familyOf(one) === family);
  const balanced = balancerAddresses(service).filter((one) => familyOf(one) === family);
  const external = (spec?.externalIPs ?? [])
    .flatMap((one) => canonicalIp(one) ?? [])
    .filter((one) => familyOf(one) === family);
  const reachable = external.length + balanced.length > 0 || port.nodePort > 0;

  const refuse = everyone.length === 0;
  const services = `${refuse ? 'no-endpoints' : 'services'}${family}`;
  const nodePorts = `${refuse ? 'no-endpoints-nodeports' : 'nodeports'}${family}`;
  const at = (address: string): string => `${services} ${address} . ${protocol} . ${port.port}`;
  const refusal = 'goto reject-it';

  if (!refuse && (!internalLocal || reachable)) choose(rules, `all/${suffix}`, everyone, family, port, service);
  const wantsHere = here.length > 0 && (internalLocal || (externalLocal && reachable));
  if (wantsHere) choose(rules, `local/${suffix}`, here, family, port, service);

  const toInternal = internalLocal ? (here.length > 0 ? `goto local/${suffix}` : 'drop') : `goto all/${suffix}`;
  for (const address of internal) rules.elements.set(at(address), refuse ? refusal : toInternal);
  if (!reachable) return;

  const entry = `external/${suffix}`;
  if (!refuse) rules.chains.set(entry, externalRules(suffix, family, externalLocal, here.length > 0, config));
  for (const address of external) rules.elements.set(at(address), refuse ? refusal : `goto ${entry}`);
  const ranges = (spec?.loadBalancerSourceRanges ?? []).map((one) => one.trim());
  const allowed = ranges.filter((one) => ipVersion(one.split('/')[0] ?? '') === family);
  const guarded = ranges.length > 0 && !refuse && balanced.length > 0;
  if (guarded) {
    const others = allowed.length > 0 ? `${ipOf(family)} saddr != { ${allowed.join(', ')} } drop` : 'drop';
    rules.chains.set(`firewall/${suffix}`, [others, `goto ${entry}`]);
  }
  for (const address of balanced) {
    rules.elements.set(at(address), refuse ? refusal : `goto ${guarded ? `firewall/${suffix}` : entry}`);
  }
  if (port.nodePort > 0) {
    rules.elements.set(`${nodePorts} ${protocol} . ${port.nodePort}`, refuse ? refusal : `goto ${entry}`);
  }
}

/** From outside: any endpoint, masqueraded so that the answer comes back here; or those here, with the sender unchanged. */
function externalRules(
  suffix: string,
  family: Family,
  local: boolean,
  anyHere: boolean,
  { clusterCidrs }: ProxyConfig,
): string[] {
  if (!local) return ['jump mark-for-masquerade', `goto all/${suffix}`];
  const inside = clusterCidrs.filter((one) => familyOf(one.split('/')[0] ?? '') === family);
  return [
    // Pods and the node itself are not outside: for them the policy of the inside holds.
    ...inside.map((cidr) => `${ipOf(family)} saddr ${cidr} goto all/${suffix}`),
    'fib saddr type local jump mark-for-masquerade',
    `fib saddr type local goto all/${suffix}`,
    anyHere ? `goto local/${suffix}` : 'drop',
  ];
}

/** A chain that sends each connection to one of the endpoints, and the same client to the same one where that is asked for. */
function choose(
  rules: Building,
  chain: string,
  endpoints: readonly Endpoint[],
  family: Family,
  port: Port,
  { spec }: ProxyService,
): void {
  const ip = ipOf(family);
  for (const { address, local } of endpoints) {
    if (local) rules.elements.set(`hairpin${family} ${address} . ${address}`, '');
    if (port.protocol === 'udp') rules.udpAddresses.add(address);
  }
  const match = `meta l4proto ${port.protocol}`;
  if (spec?.sessionAffinity !== 'ClientIP') {
    rules.chains.set(chain, [`${match} ${translation(endpoints, family)}`]);
    return;
  }
  const seconds = Number(spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS);
  const known: string[] = [];
  const fresh: string[] = [];
  for (const [index, endpoint] of endpoints.entries()) {
    const name = `${chain}/${endpoint.address.replaceAll(':', '.')}/${endpoint.port}`;
    const clients = name.replace(/^[a-z]+/, (kind) => `clients-${kind}`);
    const type = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
    rules.sets.set(clients, `type ${type}; size 65535; flags dynamic,timeout; timeout ${seconds}s;`);
    rules.chains.set(name, [
      `update @${clients} { ${ip} saddr timeout ${seconds}s }`,
      `${match} ${translation([endpoint], family)}`,
    ]);
    known.push(`${ip} saddr @${clients} goto ${name}`);
    fresh.push(`${index} : goto ${name}`);
  }
  rules.chains.set(chain, [...known, `numgen random mod ${endpoints.length} vmap { ${fresh.join(', ')} }`]);
}

function translation(endpoints: readonly Endpoint[], family: Family): string {
  const ip = ipOf(family);
  const [only] = endpoints;
  if (endpoints.length === 1) {
    return `dnat ${ip} to ${family === 6 ? `[${only!.address}]` : only!.address}:${only!.port}`;
  }
  const choices = endpoints.map(({ address, port }, index) => `${index} : ${address} . ${port}`);
  return `dnat ${ip} to numgen random mod ${endpoints.length} map { ${choices.join(', ')} }`;
}

/** Where a load balancer asks whether this node has endpoints of the Service, and how many are ready here; or nothing. */
export function healthCheckOf(
  service: ProxyService,
  slices: readonly ProxySlice[],
  config: ProxyConfig,
): { readonly port: number; readonly localEndpoints: number } | undefined {
  const { spec } = service;
  const port = spec?.healthCheckNodePort ?? 0;
  if (spec?.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local' || port === 0) return undefined;
  const here = new Set<string>();
  for (const one of spec.ports ?? []) {
    const wanted = {
      name: one.name ?? '',
      protocol: (one.protocol ?? 'TCP').toLowerCase(),
      port: one.port,
      nodePort: 0,
    };
    for (const family of [4, 6] as const) {
      for (const endpoint of endpointsOf(slices, wanted, family, config)) {
        if (endpoint.local && endpoint.ready) here.add(endpoint.address);
      }
    }
  }
  return { port, localEndpoints: here.size };
}

function endpointsOf(
  slices: readonly ProxySlice[],
  wanted: Port,
  family: Family,
  { nodeName }: ProxyConfig,
): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.addressType !== `IPv${family}`) continue;
    const port = (slice.ports ?? []).find(
      (one) => (one.name ?? '') === wanted.name && (one.protocol ?? 'TCP').toLowerCase() === wanted.protocol,
    )?.port;
    if (!port) continue;
    for (const { addresses, conditions, nodeName: on, hints } of slice.endpoints ?? []) {
      const address = canonicalIp(addresses[0] ?? '');
      if (address === undefined) continue;
      const ready = conditions?.ready !== false;
      const lingering = conditions?.serving !== false && conditions?.terminating === true;
      const key = `${address} ${port}`;
      // While slices are rewritten an endpoint may stand in two of them.
      if (found.get(key)?.ready) continue;
      const zones = hints?.forZones?.map(({ name }) => name);
      const nodes = hints?.forNodes?.map(({ name }) => name);
      const local = on === nodeName;
      found.set(key, { address, port, local, ready, lingering, ...(zones && { zones }), ...(nodes && { nodes }) });
    }
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

/**
 * Of the endpoints that serve, those that are meant for this node, or for its zone; all of them where one has no hint or
 * none is meant for here, so that no Service is out of reach for want of a neighbour (API concept "Traffic distribution").
 */
function nearby(endpoints: readonly Endpoint[], { nodeName, zone }: ProxyConfig): readonly Endpoint[] {
  for (const [of, here] of [
    [(one: Endpoint) => one.nodes, nodeName],
    [(one: Endpoint) => one.zones, zone],
  ] as const) {
    if (here === undefined || !endpoints.every((one) => (of(one)?.length ?? 0) > 0)) continue;
    const meant = endpoints.filter((one) => of(one)?.includes(here));
    if (meant.length > 0) return meant;
  }
  return endpoints;
}

function usable(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((one) => one.ready);
  return ready.length > 0 ? ready : endpoints.filter((one) => one.lingering);
}

/** None for headless Services. */
function clusterAddresses({ spec }: ProxyService): string[] {
  const written = spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? ''];
  return written.flatMap((one) => canonicalIp(one) ?? []);
}

/** A load balancer in mode Proxy wants to see the traffic itself. */
function balancerAddresses({ spec, status }: ProxyService): string[] {
  if (spec?.type !== 'LoadBalancer') return [];
  const ingress = (status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== 'Proxy');
  return ingress.flatMap(({ ip = '' }) => canonicalIp(ip) ?? []);
}

const familyOf = (address: string): Family => ipVersion(address) ?? 4;
const ipOf = (family: Family): string => (family === 4 ? 'ip' : 'ip6');
