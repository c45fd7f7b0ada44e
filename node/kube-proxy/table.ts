import { ipVersion } from '../../libs/machinery/ip.ts';
import type { ProxyConfig } from './objects.ts';
import type { ServiceRules } from './plan.ts';

/** The one table that is ours; no other is ever read or written. */
export const TABLE = 'inet tutti';

const EMPTY: ServiceRules = { chains: new Map(), sets: new Map(), elements: new Map(), udpAddresses: new Set() };

/** Bit 14 of a packet's mark, as kube-proxy has always used: this connection's sender becomes the node. */
const MASQUERADE_MARK = '0x4000';
const MARK = `meta mark set meta mark or ${MASQUERADE_MARK}`;

/**
 * From an address of the device that it leaves by: the sender is this node already, and to search for another port would
 * cost a quarter of the connections a second. To ask the routing table costs something too: see `Uplink`.
 */
const SENT_BY_US = 'fib saddr . oif type local';

/** The device by which the node's own connections to cluster IPs leave before they are translated, and their sender. */
export interface Uplink {
  readonly device: string;
  readonly address: string;
}

/** One network is compared, which takes half the time of a search in a set. */
const anyOf = (cidrs: readonly string[]): string => (cidrs.length === 1 ? cidrs[0]! : `{ ${cidrs.join(', ')} }`);

/** Written anew, without any Service: maps, sets, and the chains that look things up in them. */
export function baseTable({ clusterCidrs, serviceCidrs }: ProxyConfig, uplinks: readonly Uplink[]): string {
  const ofFamily = (cidrs: readonly string[], family: 4 | 6): string[] =>
    cidrs.filter((one) => ipVersion(one.split('/')[0] ?? '') === family);
  const families = ([4, 6] as const).map((family) => {
    const ip = family === 4 ? 'ip' : 'ip6';
    const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
    const [pods, services] = [ofFamily(clusterCidrs, family), ofFamily(serviceCidrs, family)];
    const here = family === 4 ? 'ip daddr != 127.0.0.0/8' : 'ip6 daddr != ::1';
    return {
      maps: `
  map services${family} { type ${address} . inet_proto . inet_service : verdict; }
  map no-endpoints${family} { type ${address} . inet_proto . inet_service : verdict; }
  map nodeports${family} { type inet_proto . inet_service : verdict; }
  map no-endpoints-nodeports${family} { type inet_proto . inet_service : verdict; }
  set hairpin${family} { type ${address} . ${address}; }`,
      masquerade:
        pods.length > 0 && services.length > 0
          ? `    ${ip} daddr ${anyOf(services)} ${ip} saddr != ${anyOf(pods)} ${MARK}\n`
          : '',
      dispatch: `    ${ip} daddr . meta l4proto . th dport vmap @services${family}
    ${here} fib daddr type local meta l4proto . th dport vmap @nodeports${family}\n`,
      refuse: `    ${ip} daddr . meta l4proto . th dport vmap @no-endpoints${family}
    ${here} fib daddr type local meta l4proto . th dport vmap @no-endpoints-nodeports${family}\n`,
      hairpin: `    ct status dnat ${ip} saddr . ${ip} daddr @hairpin${family} masquerade fully-random\n`,
      // What is still addressed to a cluster IP after translation is addressed to nobody.
      unknown: services.length > 0 ? `    ${ip} daddr ${anyOf(services)} goto reject-it\n` : '',
      sentByUs: uplinks
        .filter(({ address }) => ipVersion(address) === family)
        .map(({ device, address }) => `    oifname "${device}" ${ip} saddr ${address} return\n`)
        .join(''),
    };
  });
  const both = (part: keyof (typeof families)[number]): string => families.map((one) => one[part]).join('');
  const hooks = (['input', 'forward', 'output'] as const).map(
    (hook) => `
  chain refuse-${hook} { type filter hook ${hook} priority -110; policy accept; ct state new jump no-endpoints; }`,
  );
  const after = (['forward', 'output'] as const).map(
    (hook) => `
  chain unknown-${hook} { type filter hook ${hook} priority -90; policy accept; ct state new jump unknown-service-addresses; }`,
  );
  return `add table ${TABLE}
delete table ${TABLE}
table ${TABLE} {${both('maps')}
  chain reject-it { reject; }
  chain mark-for-masquerade { ${MARK}; }
  chain no-endpoints {
${both('refuse')}  }
  chain unknown-service-addresses {
${both('unknown')}  }
  chain services {
${both('masquerade')}${both('dispatch')}  }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump services; }
  chain output { type nat hook output priority -100; policy accept; jump services; }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
${both('hairpin')}    meta mark and ${MASQUERADE_MARK} == 0 return
    meta mark set meta mark xor ${MASQUERADE_MARK}
${both('sentByUs')}    ${SENT_BY_US} return
    masquerade fully-random
  }${hooks.join('')}${after.join('')}
}
`;
}

export const REMOVAL = `add table ${TABLE}\ndelete table ${TABLE}\n`;

/**
 * What the table has, as far as we wrote it, and the words that bring it from there to what is wanted. An element that
 * two Services want (the same external IP, the same endpoint) is the one's whose name comes first, and stays until the
 * last has gone.
 */
export class TableState {
  readonly #services = new Map<string, ServiceRules>();
  readonly #owners = new Map<string, Map<string, string>>();

  get size(): number {
    return this.#services.size;
  }

  get(service: string): ServiceRules | undefined {
    return this.#services.get(service);
  }

  /** Takes the changes (`undefined`: the Service goes) as done and returns them as input for `nft -f`; '' for none. */
  change(changes: ReadonlyMap<string, ServiceRules | undefined>): string {
    const before = new Map<string, string | undefined>();
    const words = {
      declared: [] as string[],
      rules: [] as string[],
      gone: [] as string[],
      goneSets: [] as string[],
    };
    for (const [service, wanted = EMPTY] of changes) {
      const had = this.#services.get(service) ?? EMPTY;
      changeOwn(had, wanted, words);
      for (const key of new Set([...had.elements.keys(), ...wanted.elements.keys()])) {
        if (!before.has(key)) before.set(key, this.#element(key));
        this.#own(key, service, wanted.elements.get(key));
      }
      if (wanted === EMPTY) this.#services.delete(service);
      else this.#services.set(service, wanted);
    }
    const [removed, added] = [new Map<string, string[]>(), new Map<string, string[]>()];
    for (const [key, old] of before) {
      const now = this.#element(key);
      if (now === old) continue;
      const space = key.indexOf(' ');
      const [map, element] = [key.slice(0, space), key.slice(space + 1)];
      if (old !== undefined) push(removed, map, element);
      if (now !== undefined) push(added, map, now === '' ? element : `${element} : ${now}`);
    }
    const elements = (verb: string, all: Map<string, string[]>): string[] =>
      Array.from(all, ([map, list]) => `${verb} element ${TABLE} ${map} { ${list.join(', ')} }`);
    const lines = [
      ...words.declared,
      ...words.rules,
      ...elements('delete', removed),
      ...elements('add', added),
      ...words.gone,
      ...words.goneSets,
    ];
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  }

  #own(key: string, service: string, value: string | undefined): void {
    const owners = this.#owners.get(key) ?? new Map<string, string>();
    if (value === undefined) owners.delete(service);
    else owners.set(service, value);
    if (owners.size === 0) this.#owners.delete(key);
    else this.#owners.set(key, owners);
  }

  #element(key: string): string | undefined {
    const owners = this.#owners.get(key);
    if (!owners) return undefined;
    return owners.size === 1 ? owners.values().next().value : owners.get([...owners.keys()].sort()[0]!);
  }
}

interface Words {
  readonly declared: string[];
  readonly rules: string[];
  readonly gone: string[];
  readonly goneSets: string[];
}

function changeOwn(had: ServiceRules, wanted: ServiceRules, words: Words): void {
  for (const [name, definition] of wanted.sets) {
    const old = had.sets.get(name);
    if (old === definition) continue;
    words.declared.push(`add set ${TABLE} ${name} { ${definition} }`);
  }
  for (const [name, rules] of wanted.chains) {
    const old = had.chains.get(name);
    if (old && old.length === rules.length && old.every((rule, index) => rule === rules[index])) continue;
    words.declared.push(`${old ? 'flush' : 'add'} chain ${TABLE} ${name}`);
    for (const rule of rules) words.rules.push(`add rule ${TABLE} ${name} ${rule}`);
  }
  const gone = [...had.chains.keys()].filter((name) => !wanted.chains.has(name));
  // All are emptied before the first is removed, as they lead to each other.
  for (const name of gone) words.gone.push(`flush chain ${TABLE} ${name}`);
  for (const name of gone) words.goneSets.push(`delete chain ${TABLE} ${name}`);
  for (const name of had.sets.keys()) if (!wanted.sets.has(name)) words.goneSets.push(`delete set ${TABLE} ${name}`);
}

function push(into: Map<string, string[]>, key: string, value: string): void {
  const list = into.get(key);
  if (list) list.push(value);
  else into.set(key, [value]);
}
