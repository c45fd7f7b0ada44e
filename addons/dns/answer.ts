import { canonicalIp, ipVersion, parseIp, reverseName } from '../../libs/machinery/ip.ts';
import { addressesOfService, type ClusterView, type DnsEndpointSlice, type DnsService } from './view.ts';

/** One resource record, in the form that `dns-packet` writes. TTLs are in seconds. */
export type DnsRecord =
  | {
      readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR' | 'NS' | 'TXT';
      readonly name: string;
      readonly ttl: number;
      readonly data: string;
    }
  | {
      readonly type: 'SRV';
      readonly name: string;
      readonly ttl: number;
      readonly data: {
        readonly priority: number;
        readonly weight: number;
        readonly port: number;
        readonly target: string;
      };
    }
  | { readonly type: 'SOA'; readonly name: string; readonly ttl: number; readonly data: StartOfAuthority };

export interface StartOfAuthority {
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

export interface DnsQuestion {
  /** As asked: any case, no trailing dot. */
  readonly name: string;
  /** `A`, `SRV` …; what has no name is `UNKNOWN_<number>`. */
  readonly type: string;
}

export interface DnsZone {
  /** `cluster.local` */
  readonly domain: string;
  /** Where this server is reached, for the zone's own NS name; none where nobody knows. */
  readonly serverAddresses: readonly string[];
  /** Of records and of negative answers, in seconds. */
  readonly ttlSeconds: number;
}

export type ClusterAnswer =
  | {
      readonly rcode: 'NOERROR' | 'NXDOMAIN';
      readonly answers: readonly DnsRecord[];
      readonly authorities: readonly DnsRecord[];
      readonly additionals: readonly DnsRecord[];
      /** The last answer is a CNAME to this name, whose records of the asked type belong after it. */
      readonly chase?: string;
    }
  /** Not a name of the cluster: somebody else's to answer. */
  | { readonly rcode: 'ELSEWHERE' };

/** One address behind a headless Service and the name it has there. */
interface NamedEndpoint {
  readonly hostname: string;
  readonly address: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

/** What a name stands for. `undefined`: there is no such name. */
type Named = { readonly records: readonly DnsRecord[]; readonly additionals?: readonly DnsRecord[]; chase?: string };

/**
 * Answers a question as the Kubernetes DNS specification 1.1 says, out of the present state; besides it the dashed names
 * of pods (`10-1-2-3.ns.pod.cluster.local`), which need no pod to be there. A name without records of the asked type is
 * NOERROR with nothing (NODATA); one that has no records at all, like a headless Service without ready endpoints, is
 * NXDOMAIN. Both carry the zone's SOA.
 *
 *     answer({ name: 'web.default.svc.cluster.local', type: 'A' }, view, zone)
 */
export function answer(question: DnsQuestion, view: ClusterView, zone: DnsZone): ClusterAnswer {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  const domain = zone.domain.toLowerCase();
  const reverse = /\.(?:in-addr|ip6)\.arpa$/.test(name);
  if (reverse) {
    const records = pointers(question, name, view, zone);
    return records.length === 0
      ? { rcode: 'ELSEWHERE' }
      : found({ records: question.type === 'PTR' ? records : [] }, zone);
  }
  if (name !== domain && !name.endsWith(`.${domain}`)) return { rcode: 'ELSEWHERE' };
  const labels = name === domain ? [] : name.slice(0, -domain.length - 1).split('.');
  return found(lookUp(question, labels, view, zone), zone);
}

function found(named: Named | undefined, zone: DnsZone): ClusterAnswer {
  const records = named?.records ?? [];
  return {
    rcode: named ? 'NOERROR' : 'NXDOMAIN',
    answers: records,
    authorities: records.length === 0 ? [authorityOf(zone, zone.domain)] : [],
    additionals: named?.additionals ?? [],
    ...(named?.chase === undefined ? {} : { chase: named.chase }),
  };
}

function lookUp(question: DnsQuestion, labels: readonly string[], view: ClusterView, zone: DnsZone): Named | undefined {
  const { domain, serverAddresses } = zone;
  const kind = labels.at(-1);
  if (kind === undefined) {
    if (question.type === 'SOA') return { records: [authorityOf(zone, question.name)] };
    if (question.type !== 'NS') return { records: [] };
    return {
      records: [{ type: 'NS', name: question.name, ttl: zone.ttlSeconds, data: `ns.dns.${domain}` }],
      additionals: addressRecords(`ns.dns.${domain}`, undefined, serverAddresses, zone),
    };
  }
  if (kind === 'dns-version' && labels.length === 1) {
    const version = { type: 'TXT' as const, name: question.name, ttl: zone.ttlSeconds, data: '1.1.0' };
    return { records: question.type === 'TXT' ? [version] : [] };
  }
  if (kind === 'dns' && labels.length <= 2) {
    if (labels.length === 1) return { records: [] };
    if (labels[0] !== 'ns') return undefined;
    return { records: addressRecords(question.name, question.type, serverAddresses, zone) };
  }
  if (kind !== 'svc' && kind !== 'pod') return undefined;
  const namespace = labels.at(-2);
  if (namespace === undefined) return { records: [] };
  const rest = labels.slice(0, -2);
  if (rest.length === 0) return view.namespaceExists(namespace) ? { records: [] } : undefined;
  return kind === 'pod'
    ? podName(question, rest, namespace, view, zone)
    : serviceName(question, rest, namespace, view, zone);
}

function podName(
  question: DnsQuestion,
  rest: readonly string[],
  namespace: string,
  view: ClusterView,
  zone: DnsZone,
): Named | undefined {
  const [dashed = ''] = rest;
  if (rest.length !== 1 || !view.namespaceExists(namespace)) return undefined;
  const address = canonicalIp(dashed.replaceAll('-', '.')) ?? canonicalIp(dashed.replaceAll('-', ':'));
  return address === undefined ? undefined : { records: addressRecords(question.name, question.type, [address], zone) };
}

/** `rest` is what stands before `<namespace>.svc`: `web`, `pod-0.web`, `_http._tcp.web`, `_tcp.web`. */
function serviceName(
  question: DnsQuestion,
  rest: readonly string[],
  namespace: string,
  view: ClusterView,
  zone: DnsZone,
): Named | undefined {
  const service = view.service(namespace, rest.at(-1)!);
  if (!service || rest.length > 3) return undefined;
  const { spec } = service;
  const full = `${service.metadata?.name}.${namespace}.svc.${zone.domain}`;
  if (spec?.type === 'ExternalName') {
    if (rest.length > 1 || !spec.externalName) return undefined;
    const target = spec.externalName.replace(/\.$/, '');
    const alias: DnsRecord = { type: 'CNAME', name: question.name, ttl: zone.ttlSeconds, data: target };
    return question.type === 'CNAME' ? { records: [alias] } : { records: [alias], chase: target };
  }
  const headless = isHeadless(service);
  const endpoints = headless ? endpointsOf(service, view.slicesOf(namespace, rest.at(-1)!)) : [];
  // A headless Service with nobody behind it has no records, so the name does not exist.
  if (headless && endpoints.length === 0) return undefined;
  const [first = ''] = rest;

  if (rest.length === 1 && question.type !== 'SRV') {
    const addresses = headless ? endpoints.map(({ address }) => address) : addressesOfService(service);
    return { records: addressRecords(question.name, question.type, addresses, zone) };
  }
  if (rest.length === 2 && !first.startsWith('_')) {
    const named = endpoints.filter(({ hostname }) => hostname.toLowerCase() === first);
    if (named.length === 0) return undefined;
    const addresses = named.map(({ address }) => address);
    return { records: addressRecords(question.name, question.type, addresses, zone) };
  }
  const wantedPort = rest.length === 3 ? first.slice(1) : undefined;
  const wantedProtocol = rest.length === 1 ? undefined : rest.at(-2)!.slice(1);
  if (rest.length > 1 && !rest.slice(0, -1).every((label) => label.startsWith('_'))) return undefined;
  const matches = (port: { name?: string; protocol?: string }): boolean =>
    Boolean(port.name) &&
    (wantedPort === undefined || port.name!.toLowerCase() === wantedPort) &&
    (wantedProtocol === undefined || (port.protocol ?? 'TCP').toLowerCase() === wantedProtocol);
  const targets: { port: number; target: string; addresses: readonly string[] }[] = headless
    ? endpoints.flatMap(({ hostname, address, ports }) =>
        ports
          .filter(matches)
          .map(({ port }) => ({ port, target: `${hostname}.${full}`, addresses: [address] as const })),
      )
    : (spec?.ports ?? [])
        .filter(matches)
        .map(({ port }) => ({ port, target: full, addresses: addressesOfService(service) }));
  if (targets.length === 0) return rest.length === 1 ? { records: [] } : undefined;
  // `_tcp.web` is only on the way to names that have records.
  if (question.type !== 'SRV' || rest.length === 2) return { records: [] };
  return {
    records: unique(
      targets.map(({ port, target }) => ({
        type: 'SRV',
        name: question.name,
        ttl: zone.ttlSeconds,
        data: { priority: 0, weight: Math.max(1, Math.floor(100 / targets.length)), port, target },
      })),
    ),
    additionals: unique(targets.flatMap(({ target, addresses }) => addressRecords(target, undefined, addresses, zone))),
  };
}

function pointers(question: DnsQuestion, name: string, view: ClusterView, zone: DnsZone): DnsRecord[] {
  const address = addressOfReverse(name);
  if (address === undefined) return [];
  const targets: string[] = [];
  for (const { metadata } of view.servicesAt(address)) {
    targets.push(`${metadata?.name}.${metadata?.namespace}.svc.${zone.domain}`);
  }
  for (const slice of view.slicesAt(address)) {
    const namespace = slice.metadata.namespace ?? '';
    const service = view.service(namespace, slice.metadata.labels?.['kubernetes.io/service-name'] ?? '');
    if (!service || !isHeadless(service)) continue;
    for (const endpoint of endpointsOf(service, [slice])) {
      if (endpoint.address !== address) continue;
      targets.push(`${endpoint.hostname}.${service.metadata?.name}.${namespace}.svc.${zone.domain}`);
    }
  }
  return [...new Set(targets)].map((data) => ({ type: 'PTR', name: question.name, ttl: zone.ttlSeconds, data }));
}

/** `3.2.1.10.in-addr.arpa` → `10.1.2.3`; undefined where the name is not that of one address. */
export function addressOfReverse(name: string): string | undefined {
  const v4 = name.endsWith('.in-addr.arpa');
  const labels = name
    .slice(0, name.length - (v4 ? '.in-addr.arpa' : '.ip6.arpa').length)
    .split('.')
    .reverse();
  if (!v4 && (labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label)))) return undefined;
  const text = v4 ? labels.join('.') : (labels.join('').match(/.{4}/g) ?? []).join(':');
  const ip = parseIp(text);
  return ip && (!v4 || reverseName(ip) === name) ? canonicalIp(text) : undefined;
}

function isHeadless({ spec }: DnsService): boolean {
  return spec?.type !== 'ExternalName' && (spec?.clusterIP === 'None' || spec?.clusterIPs?.[0] === 'None');
}

/** The endpoints that have names: those that are ready, or all where the Service publishes those that are not. */
function endpointsOf({ spec }: DnsService, slices: readonly DnsEndpointSlice[]): NamedEndpoint[] {
  return slices.flatMap((slice) =>
    slice.addressType !== 'IPv4' && slice.addressType !== 'IPv6'
      ? []
      : (slice.endpoints ?? []).flatMap(({ addresses, conditions, hostname }) =>
          conditions?.ready === false && !spec?.publishNotReadyAddresses
            ? []
            : addresses
                .flatMap((address) => canonicalIp(address) ?? [])
                .map((address) => ({
                  hostname: hostname || address.replaceAll(/[.:]/g, '-'),
                  address,
                  ports: (slice.ports ?? []).map(({ name = '', protocol = 'TCP', port = 0 }) => ({
                    name,
                    protocol,
                    port,
                  })),
                })),
        ),
  );
}

/** A and AAAA records of those addresses that are of the asked type; of both where `type` is undefined. */
function addressRecords(
  name: string,
  type: string | undefined,
  addresses: readonly string[],
  zone: DnsZone,
): DnsRecord[] {
  return [...new Set(addresses)].flatMap((data) => {
    const own = ipVersion(data) === 4 ? 'A' : 'AAAA';
    return type === undefined || type === own ? [{ type: own, name, ttl: zone.ttlSeconds, data } as const] : [];
  });
}

function unique(records: readonly DnsRecord[]): DnsRecord[] {
  return [...new Map(records.map((record) => [`${record.name} ${JSON.stringify(record.data)}`, record])).values()];
}

/** The serial stays: nobody transfers this zone, and the answer depends on nothing but the question and the state. */
function authorityOf(zone: DnsZone, name: string): DnsRecord {
  return {
    type: 'SOA',
    name,
    ttl: zone.ttlSeconds,
    data: {
      mname: `ns.dns.${zone.domain}`,
      rname: `hostmaster.${zone.domain}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: zone.ttlSeconds,
    },
  };
}
