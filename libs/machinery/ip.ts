/**
 * IP addresses as numbers: read, written, compared, without sockets.
 *
 * Two readings exist, as upstream has them: `parseIp` is strict; `parseIpSloppy` also takes leading zeros in IPv4
 * (`010.1.2.3` is 10.1.2.3), which stored objects may still contain. Zones (`fe80::1%eth0`) are never addresses here.
 */

export type IpVersion = 4 | 6;

export interface Ip {
  readonly version: IpVersion;
  /** 32 bits for IPv4, 128 for IPv6. */
  readonly value: bigint;
}

const bitsOf: Readonly<Record<IpVersion, number>> = Object.freeze({ 4: 32, 6: 128 });

/** 32 or 128. */
export function addressBits(version: IpVersion): number {
  return bitsOf[version];
}

function parseV4(text: string, leadingZeros: boolean): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    if (!/^[0-9]+$/.test(part) || (!leadingZeros && part.length > 1 && part.startsWith('0'))) return undefined;
    const byte = part.length > 16 ? Number.NaN : Number(part);
    if (!(byte <= 255)) return undefined;
    value = value * 256 + byte;
  }
  return BigInt(value);
}

function parseV6(text: string, leadingZeros: boolean): bigint | undefined {
  let source = text;
  const groups: number[] = [];
  const lastColon = source.lastIndexOf(':');
  const tail: number[] = [];
  if (source.includes('.')) {
    const v4 = parseV4(source.slice(lastColon + 1), leadingZeros);
    if (v4 === undefined) return undefined;
    tail.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    // The colon before the address only separates, unless it is half of a `::`.
    source = source.slice(0, lastColon + 1);
    if (!source.endsWith('::')) source = source.slice(0, -1);
    if (source === '') return undefined;
  }
  const gap = source.indexOf('::');
  const halves = gap < 0 ? [source] : [source.slice(0, gap), source.slice(gap + 2)];
  const read = (half: string): number[] | undefined => {
    if (half === '') return [];
    const parts = half.split(':');
    if (!parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))) return undefined;
    return parts.map((part) => Number.parseInt(part, 16));
  };
  const before = read(halves[0] as string);
  const after = halves.length === 2 ? read(halves[1] as string) : [];
  if (before === undefined || after === undefined) return undefined;
  const missing = 8 - before.length - after.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  groups.push(...before, ...new Array<number>(missing).fill(0), ...after, ...tail);
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

function parse(text: string, leadingZeros: boolean): Ip | undefined {
  if (text.includes(':')) {
    const value = parseV6(text, leadingZeros);
    return value === undefined ? undefined : { version: 6, value };
  }
  const value = parseV4(text, leadingZeros);
  return value === undefined ? undefined : { version: 4, value };
}

/** Reads an address; undefined where the text is none. */
export function parseIp(text: string): Ip | undefined {
  return parse(text, false);
}

/** Like `parseIp`, with leading zeros allowed in IPv4. */
export function parseIpSloppy(text: string): Ip | undefined {
  return parse(text, true);
}

const mappedPrefix = 0xffffn << 32n;

/** Whether this is an IPv4 address written as IPv6 (`::ffff:192.0.2.1`). */
export function isMapped({ version, value }: Ip): boolean {
  return version === 6 && value >> 32n === 0xffffn;
}

/** The IPv4 address inside a mapped one; others as they are. */
export function unmapped(ip: Ip): Ip {
  return isMapped(ip) ? { version: 4, value: ip.value & 0xffffffffn } : ip;
}

/** The shortest spelling: RFC 5952 for IPv6, mapped addresses as IPv4 (as upstream prints them). */
export function formatIp(ip: Ip): string {
  const { version, value } = unmapped(ip);
  if (version === 4) {
    const n = Number(value);
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The canonical spelling of a text; undefined where it is no address. */
export function canonicalIp(text: string): string | undefined {
  const ip = parseIpSloppy(text);
  return ip === undefined ? undefined : formatIp(ip);
}

/** Orders IPv4 before IPv6, then by number. */
export function compareIp(a: Ip, b: Ip): number {
  if (a.version !== b.version) return a.version - b.version;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

export function sameIp(a: Ip, b: Ip): boolean {
  const left = unmapped(a);
  const right = unmapped(b);
  return left.version === right.version && left.value === right.value;
}

/** The version of a text's address (mapped ones count as IPv4); undefined where it is none. */
export function ipVersion(text: string): IpVersion | undefined {
  const ip = parseIpSloppy(text);
  return ip === undefined ? undefined : unmapped(ip).version;
}

/** `n` addresses further on; undefined beyond either end. */
export function offsetIp({ version, value }: Ip, n: bigint | number): Ip | undefined {
  const next = value + BigInt(n);
  return next < 0n || next >= 1n << BigInt(bitsOf[version]) ? undefined : { version, value: next };
}

const within = (ip: Ip, base: bigint, bits: number): boolean =>
  ip.value >> BigInt(bitsOf[ip.version] - bits) === base >> BigInt(bitsOf[ip.version] - bits);

/** 127.0.0.0/8, ::1 */
export function isLoopback(address: Ip): boolean {
  const ip = unmapped(address);
  return ip.version === 4 ? within(ip, 0x7f000000n, 8) : ip.value === 1n;
}

/** 0.0.0.0, :: */
export function isUnspecified(address: Ip): boolean {
  return unmapped(address).value === 0n;
}

/** 169.254.0.0/16, fe80::/10 */
export function isLinkLocal(address: Ip): boolean {
  const ip = unmapped(address);
  return ip.version === 4 ? within(ip, 0xa9fe0000n, 16) : within(ip, 0xfe80n << 112n, 10);
}

/** 224.0.0.0/4, ff00::/8 */
export function isMulticast(address: Ip): boolean {
  const ip = unmapped(address);
  return ip.version === 4 ? within(ip, 0xe0000000n, 4) : within(ip, 0xff00n << 112n, 8);
}

/** 224.0.0.0/24, ff?2::/16 */
export function isLinkLocalMulticast(address: Ip): boolean {
  const ip = unmapped(address);
  return ip.version === 4 ? within(ip, 0xe0000000n, 24) : isMulticast(ip) && ((ip.value >> 112n) & 0xfn) === 2n;
}

/** The IPv6 spelling of an IPv4 address. */
export function mapped({ version, value }: Ip): Ip {
  return version === 6 ? { version, value } : { version: 6, value: mappedPrefix | value };
}

/** The name under which a reverse DNS lookup asks: `1.2.0.192.in-addr.arpa`. */
export function reverseName(address: Ip): string {
  const ip = unmapped(address);
  if (ip.version === 4) return `${formatIp(ip).split('.').reverse().join('.')}.in-addr.arpa`;
  return `${ip.value.toString(16).padStart(32, '0').split('').reverse().join('.')}.ip6.arpa`;
}
