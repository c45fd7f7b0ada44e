/** Networks (`10.0.0.0/8`, `2001:db8::/64`): read, written, compared, counted through. */
import { addressBits, formatIp, type Ip, type IpVersion, parseIp, parseIpSloppy, unmapped } from './ip.ts';

export interface Cidr {
  readonly version: IpVersion;
  /** The first address: bits beyond the prefix are zero. */
  readonly base: bigint;
  /** Length in bits. */
  readonly prefix: number;
}

/** A network with the address that was written before the slash, which may lie inside it. */
export interface ParsedCidr {
  readonly address: Ip;
  readonly network: Cidr;
}

function parse(text: string, readIp: (text: string) => Ip | undefined, leadingZeros: boolean): ParsedCidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = readIp(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^[0-9]{1,9}$/.test(length)) return undefined;
  if (!leadingZeros && length.length > 1 && length.startsWith('0')) return undefined;
  const prefix = Number(length);
  if (prefix > addressBits(address.version)) return undefined;
  return { address, network: networkOf(address, prefix) };
}

/** Reads a network strictly; undefined where the text is none. */
export function parseCidr(text: string): ParsedCidr | undefined {
  return parse(text, parseIp, false);
}

/** Like `parseCidr`, with leading zeros allowed. */
export function parseCidrSloppy(text: string): ParsedCidr | undefined {
  return parse(text, parseIpSloppy, true);
}

/** The network of `prefix` bits that holds the address. */
export function networkOf({ version, value }: Ip, prefix: number): Cidr {
  const hostBits = BigInt(addressBits(version) - prefix);
  return { version, base: (value >> hostBits) << hostBits, prefix };
}

/** `10.0.0.0/8` */
export function formatCidr({ version, base, prefix }: Cidr): string {
  return `${formatIp({ version, value: base })}/${prefix}`;
}

/** How many addresses it holds, the first and the last included. */
export function cidrSize({ version, prefix }: Cidr): bigint {
  return 1n << BigInt(addressBits(version) - prefix);
}

/** Whether the address lies inside. IPv4 written as IPv6 counts as IPv4. */
export function cidrContains(cidr: Cidr, address: Ip): boolean {
  const ip = cidr.version === 4 ? unmapped(address) : address;
  return ip.version === cidr.version && ip.value >= cidr.base && ip.value < cidr.base + cidrSize(cidr);
}

/** Whether all of `inner` lies inside `outer`; equal networks do. */
export function cidrCovers(outer: Cidr, inner: Cidr): boolean {
  return outer.prefix <= inner.prefix && cidrContains(outer, { version: inner.version, value: inner.base });
}

export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrCovers(a, b) || cidrCovers(b, a);
}

export function sameCidr(a: Cidr, b: Cidr): boolean {
  return a.version === b.version && a.base === b.base && a.prefix === b.prefix;
}

/** The address at `index`, 0 for the first; undefined outside. */
export function addressAt(cidr: Cidr, index: bigint | number): Ip | undefined {
  const at = BigInt(index);
  return at < 0n || at >= cidrSize(cidr) ? undefined : { version: cidr.version, value: cidr.base + at };
}

/** Where an address stands in its network; undefined outside. */
export function indexOf(cidr: Cidr, address: Ip): bigint | undefined {
  const ip = cidr.version === 4 ? unmapped(address) : address;
  return cidrContains(cidr, ip) ? ip.value - cidr.base : undefined;
}

/** The `index`-th network of `prefix` bits inside, for handing out pod networks to nodes; undefined outside. */
export function subnetAt(cidr: Cidr, prefix: number, index: bigint | number): Cidr | undefined {
  if (prefix < cidr.prefix || prefix > addressBits(cidr.version)) return undefined;
  const at = BigInt(index);
  if (at < 0n || at >= 1n << BigInt(prefix - cidr.prefix)) return undefined;
  return { version: cidr.version, base: cidr.base + (at << BigInt(addressBits(cidr.version) - prefix)), prefix };
}
