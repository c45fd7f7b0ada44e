/** IP addresses and networks. */
import { type Cidr, cidrContains, cidrCovers, formatCidr, networkOf, parseCidr } from '../../machinery/cidr.ts';
import {
  formatIp,
  type Ip,
  isLinkLocal,
  isLinkLocalMulticast,
  isLoopback,
  isMapped,
  isMulticast,
  isUnspecified,
  parseIp,
  sameIp,
} from '../../machinery/ip.ts';
import { quote } from '../../machinery/quote.ts';
import { declare, type Library } from '../declare.ts';
import { EvaluationError, Opaque } from '../values.ts';

class IpValue extends Opaque {
  readonly type = 'net.IP';
  readonly ip: Ip;
  constructor(ip: Ip) {
    super();
    this.ip = ip;
  }

  equals(other: Opaque): boolean {
    return other instanceof IpValue && sameIp(this.ip, other.ip);
  }

  override text(): string {
    return formatIp(this.ip);
  }
}

class CidrValue extends Opaque {
  readonly type = 'net.CIDR';
  readonly ip: Ip;
  readonly prefix: number;
  constructor(ip: Ip, prefix: number) {
    super();
    this.ip = ip;
    this.prefix = prefix;
  }

  get network(): Cidr {
    return networkOf(this.ip, this.prefix);
  }

  equals(other: Opaque): boolean {
    return other instanceof CidrValue && this.prefix === other.prefix && sameIp(this.ip, other.ip);
  }

  override text(): string {
    return `${formatIp(this.ip)}/${this.prefix}`;
  }
}

/** What is wrong with the text of an address, as Go's parser words it; undefined where nothing is. */
function readIp(text: string): Ip | string {
  const wrong = (why: string) => `IP Address ${quote(text)} parse error during conversion from string: ${why}`;
  if (text.includes('%') && text.includes(':')) return wrong('IP address with zone value is not allowed');
  const ip = parseIp(text);
  if (!ip) return wrong(`ParseAddr(${quote(text)}): unable to parse IP`);
  // An IPv4 address in the clothes of IPv6 would be two things at once.
  return text.includes(':') && text.includes('.') && isMapped(ip)
    ? wrong('IPv4-mapped IPv6 address is not allowed')
    : ip;
}

function ipOf(text: string): Ip {
  const ip = readIp(text);
  if (typeof ip === 'string') throw new EvaluationError(ip);
  return ip;
}

function readCidr(text: string): { ip: Ip; prefix: number } | string {
  const twice = 'network address parse error during conversion from string: ';
  if (!text.includes('/')) return `${twice}${twice}netip.ParsePrefix(${quote(text)}): no '/'`;
  if (text.includes('%')) return `${twice}CIDR with zone value is not allowed`;
  const parsed = parseCidr(text);
  if (!parsed) return `${twice}${twice}netip.ParsePrefix(${quote(text)}): unable to parse IP`;
  const ip = parseIp(text.slice(0, text.indexOf('/')));
  if (!ip) return `${twice}${twice}netip.ParsePrefix(${quote(text)}): unable to parse IP`;
  return { ip, prefix: Number(text.slice(text.indexOf('/') + 1)) };
}

function cidrOf(text: string): CidrValue {
  const cidr = readCidr(text);
  if (typeof cidr === 'string') throw new EvaluationError(cidr);
  return new CidrValue(cidr.ip, cidr.prefix);
}

const isBroadcast = ({ version, value }: Ip): boolean => version === 4 && value === 0xffffffffn;

const isGlobalUnicast = (ip: Ip): boolean =>
  !isBroadcast(ip) && !isUnspecified(ip) && !isLoopback(ip) && !isMulticast(ip) && !isLinkLocal(ip);

const test = (fn: string, holds: (ip: Ip) => boolean): Library =>
  declare(fn, ['net.IP.() bool', `ip_${fn}`, ({ ip }: IpValue) => holds(ip)]);

export const addressesLibrary: Library = [
  ...declare(
    'ip',
    ['(string) net.IP', 'string_to_ip', (text: string) => new IpValue(ipOf(text))],
    ['net.CIDR.() net.IP', 'cidr_ip', ({ ip }: CidrValue) => new IpValue(ip)],
  ),
  ...declare('isIP', ['(string) bool', 'is_ip', (text: string) => typeof readIp(text) !== 'string']),
  ...declare('ip.isCanonical', ['(string) bool', 'ip_is_canonical', (text: string) => formatIp(ipOf(text)) === text]),
  ...declare('family', ['net.IP.() int', 'ip_family', ({ ip }: IpValue) => BigInt(ip.version)]),
  ...test('isUnspecified', isUnspecified),
  ...test('isLoopback', isLoopback),
  ...test('isLinkLocalMulticast', isLinkLocalMulticast),
  ...test('isLinkLocalUnicast', (ip) => isLinkLocal(ip) && !isMulticast(ip)),
  ...test('isGlobalUnicast', isGlobalUnicast),
  ...declare('cidr', ['(string) net.CIDR', 'string_to_cidr', cidrOf]),
  ...declare('isCIDR', ['(string) bool', 'is_cidr', (text: string) => typeof readCidr(text) !== 'string']),
  ...declare(
    'containsIP',
    [
      'net.CIDR.(string) bool',
      'cidr_contains_ip_string',
      (cidr: CidrValue, text: string) => cidrContains(cidr.network, ipOf(text)),
    ],
    [
      'net.CIDR.(net.IP) bool',
      'cidr_contains_ip_ip',
      (cidr: CidrValue, { ip }: IpValue) => cidrContains(cidr.network, ip),
    ],
  ),
  ...declare(
    'containsCIDR',
    [
      'net.CIDR.(string) bool',
      'cidr_contains_cidr_string',
      (cidr: CidrValue, text: string) => cidrCovers(cidr.network, cidrOf(text).network),
    ],
    [
      'net.CIDR.(net.CIDR) bool',
      'cidr_contains_cidr',
      (cidr: CidrValue, other: CidrValue) => cidrCovers(cidr.network, other.network),
    ],
  ),
  ...declare('prefixLength', ['net.CIDR.() int', 'cidr_prefix_length', ({ prefix }: CidrValue) => BigInt(prefix)]),
  ...declare('masked', ['net.CIDR.() net.CIDR', 'cidr_masked', (cidr: CidrValue) => cidrOf(formatCidr(cidr.network))]),
  ...declare(
    'string',
    ['(net.IP) string', 'ip_to_string', (ip: IpValue) => ip.text()],
    ['(net.CIDR) string', 'cidr_to_string', (cidr: CidrValue) => cidr.text()],
  ),
];
