/** Addresses and networks in fields: what is refused, in the words that clients know. */

import { formatCidr, parseCidr, parseCidrSloppy } from '../../libs/machinery/cidr.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import {
  addressBits,
  formatIp,
  ipVersion,
  isLinkLocal,
  isLinkLocalMulticast,
  isLoopback,
  isMapped,
  isUnspecified,
  parseIp,
  parseIpSloppy,
} from '../../libs/machinery/ip.ts';
import { quote } from '../../libs/machinery/quote.ts';

export const NOT_AN_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
export const NOT_A_CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** What is wrong with an address: undefined where nothing is. It may be spelt in more ways than one. */
export function ipProblem(text: string): string | undefined {
  if (!parseIpSloppy(text)) return NOT_AN_IP;
  const ip = parseIp(text);
  if (!ip) return 'must not have leading 0s';
  return isMapped(ip) ? 'must not be an IPv4-mapped IPv6 address' : undefined;
}

/** The same for fields that take the canonical spelling alone. */
export function canonicalIpProblem(text: string): string | undefined {
  const problem = ipProblem(text);
  const ip = parseIp(text);
  if (problem || !ip) return problem;
  return formatIp(ip) === text ? undefined : `must be in canonical form (${quote(formatIp(ip))})`;
}

export function cidrProblem(text: string): string | undefined {
  const sloppy = parseCidrSloppy(text);
  if (!sloppy) return NOT_A_CIDR;
  const cidr = parseCidr(text);
  if (!cidr) return 'must not have leading 0s in IP or prefix length';
  if (isMapped(cidr.address)) return 'must not have an IPv4-mapped IPv6 address';
  return cidr.address.value === cidr.network.base ? undefined : 'must not have bits set beyond the prefix length';
}

export function canonicalCidrProblem(text: string): string | undefined {
  const problem = cidrProblem(text);
  const cidr = parseCidr(text);
  if (problem || !cidr) return problem;
  const canonical = formatCidr(cidr.network);
  return canonical === text ? undefined : `must be in canonical form (${quote(canonical)})`;
}

const asErrors = (problem: string | undefined, text: string, at: field.Path): field.ErrorList =>
  problem === undefined ? [] : [field.invalid(at, text, problem)];

/** `kept`: what the old object has, which stays acceptable however it is spelt. */
export function validateIp(text: string, at: field.Path, kept: readonly string[] = []): field.ErrorList {
  if (kept.includes(text) && parseIpSloppy(text)) return [];
  return asErrors(ipProblem(text), text, at);
}

export const validateCanonicalIp = (text: string, at: field.Path): field.ErrorList =>
  asErrors(canonicalIpProblem(text), text, at);

export function validateCidr(text: string, at: field.Path, kept: readonly string[] = []): field.ErrorList {
  if (kept.includes(text) && parseCidrSloppy(text)) return [];
  return asErrors(cidrProblem(text), text, at);
}

export const validateCanonicalCidr = (text: string, at: field.Path): field.ErrorList =>
  asErrors(canonicalCidrProblem(text), text, at);

/** Warnings of an address that is accepted and yet not spelt as it should be. */
export function ipWarnings(text: string, at: field.Path): string[] {
  const ip = parseIpSloppy(text);
  if (!ip) return [];
  const canonical = formatIp(ip);
  if (canonical === text) return [];
  if (!parseIp(text) || isMapped(ip))
    return [`${at}: non-standard IP address ${quote(text)} ${FUTURE} ${quote(canonical)}`];
  return [`${at}: IPv6 address ${quote(text)} ${RFC_5952} (${quote(canonical)})`];
}

/** The same for networks. */
export function cidrWarnings(text: string, at: field.Path): string[] {
  const cidr = parseCidrSloppy(text);
  if (!cidr) return [];
  const { address, network } = cidr;
  const canonical = formatCidr(network);
  if (canonical === text) return [];
  if (address.value !== network.base) {
    const host = formatCidr({ ...network, base: address.value, prefix: addressBits(address.version) });
    return [
      `${at}: CIDR value ${quote(text)} is ambiguous in this context (should be ${quote(canonical)} or ${quote(host)}?)`,
    ];
  }
  if (!parseCidr(text) || isMapped(address)) {
    return [`${at}: non-standard CIDR value ${quote(text)} ${FUTURE} ${quote(canonical)}`];
  }
  return [`${at}: IPv6 CIDR value ${quote(text)} ${RFC_5952} (${quote(canonical)})`];
}

const FUTURE = 'will be considered invalid in a future Kubernetes release: use';
const RFC_5952 = 'should be in RFC 5952 canonical format';

/** Where traffic is sent must be an address of one machine somewhere else. */
export function validateEndpointIp(text: string, at: field.Path): field.ErrorList {
  const ip = parseIpSloppy(text);
  if (!ip) return [field.invalid(at, text, NOT_AN_IP)];
  const errors: field.ErrorList = [];
  if (isUnspecified(ip)) errors.push(field.invalid(at, text, `may not be unspecified (${text})`));
  if (isLoopback(ip)) errors.push(field.invalid(at, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  if (isLinkLocal(ip)) {
    errors.push(field.invalid(at, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (isLinkLocalMulticast(ip)) {
    errors.push(field.invalid(at, text, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
  return errors;
}

export function validateIpOfVersion(text: string, version: 4 | 6, at: field.Path): field.ErrorList {
  return ipVersion(text) === version ? [] : [field.invalid(at, text, `must be a valid IPv${version} address`)];
}
