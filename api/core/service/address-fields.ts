/** The fields of a Service that tell its addresses: `clusterIP`, `clusterIPs`, `ipFamilies`, `ipFamilyPolicy`. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { ipVersion } from '../../../libs/machinery/ip.ts';
import { validateIp } from '../../meta/addresses.ts';
import type { Service } from '../../types/core/v1.generated.ts';
import { isHeadless, NO_CLUSTER_IP, typeOf } from './forms.ts';

type Seen = DeepReadonly<Service>;

const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const ADDRESSES = field.path('spec', 'clusterIPs');
const FAMILY_LIST = field.path('spec', 'ipFamilies');
const POLICY = field.path('spec', 'ipFamilyPolicy');

/** Whether the fields fit each other. Looked at before addresses are given out, and again with everything else. */
export function validateAddressFields(service: Seen, old?: Seen): field.ErrorList {
  const { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = service.spec ?? {};
  if (typeOf(service) === 'ExternalName') {
    const why = 'may not be set for ExternalName services';
    return [
      ...(ipFamilyPolicy === undefined ? [] : [field.forbidden(POLICY, why)]),
      ...(ipFamilies.length === 0 ? [] : [field.forbidden(FAMILY_LIST, why)]),
      ...(clusterIPs.length === 0 ? [] : [field.forbidden(ADDRESSES, why)]),
    ];
  }
  const errors: field.ErrorList = [];
  if (clusterIP !== '' && clusterIPs.length === 0) errors.push(field.required(ADDRESSES));
  else if (clusterIP === '' && clusterIPs.length > 0) {
    errors.push(field.invalid(ADDRESSES, clusterIPs, 'must be empty when `clusterIP` is not specified'));
  } else if (clusterIPs.length > 0 && clusterIPs[0] !== clusterIP) {
    errors.push(field.invalid(ADDRESSES, clusterIPs, 'first value must match `clusterIP`'));
  }
  ipFamilies.forEach((family, i) => {
    if (!FAMILIES.includes(family)) errors.push(field.notSupported(FAMILY_LIST.index(i), family, FAMILIES));
    if (ipFamilies.indexOf(family) < i) errors.push(field.duplicate(FAMILY_LIST.index(i), family));
  });
  if (ipFamilyPolicy !== undefined && !FAMILY_POLICIES.includes(ipFamilyPolicy)) {
    errors.push(field.notSupported(POLICY, ipFamilyPolicy, FAMILY_POLICIES));
  }
  const wrong = validateAddresses(clusterIPs, old?.spec?.clusterIPs ?? []);
  errors.push(...wrong);
  if (wrong.length > 0) return errors;
  const versions = clusterIPs.map((ip) => ipVersion(ip));
  if (clusterIPs.length === 2 && versions[0] === versions[1]) {
    errors.push(field.invalid(ADDRESSES, clusterIPs, 'may specify no more than one IP for each IP family'));
  }
  if (isHeadless(service) || errors.length > 0) return errors;
  clusterIPs.forEach((ip, i) => {
    const family = ipFamilies[i];
    if (family === undefined || family === `IPv${versions[i]}`) return;
    errors.push(
      field.invalid(ADDRESSES.index(i), ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``),
    );
  });
  return errors;
}

function validateAddresses(clusterIPs: readonly string[], kept: readonly string[]): field.ErrorList {
  const errors = clusterIPs.flatMap((ip, i) => {
    if (ip !== NO_CLUSTER_IP || i > 0) return validateIp(ip, ADDRESSES.index(i), kept);
    return clusterIPs.length > 1
      ? [field.invalid(ADDRESSES, clusterIPs, "'None' must be the first and only value")]
      : [];
  });
  if (clusterIPs.length > 2) errors.push(field.invalid(ADDRESSES, clusterIPs, 'may only hold up to 2 values'));
  return errors;
}

/** The first address and the first family are the service's for life; a second one comes and goes with the policy. */
export function validateAddressesUpdate(service: Seen, old: Seen): field.ErrorList {
  if (typeOf(service) === 'ExternalName' || typeOf(old) === 'ExternalName') return [];
  const errors: field.ErrorList = [];
  const fixed = 'may not change once set';
  const [ips, families] = [service.spec?.clusterIPs ?? [], service.spec?.ipFamilies ?? []];
  const [oldIps, oldFamilies] = [old.spec?.clusterIPs ?? [], old.spec?.ipFamilies ?? []];
  if (oldIps.length > 0 && ips.length === 0)
    errors.push(field.invalid(ADDRESSES, ips, 'primary clusterIP can not be unset'));
  else if (oldIps[0] !== undefined && oldIps[0] !== ips[0]) errors.push(field.invalid(ADDRESSES.index(0), ips, fixed));
  else if (oldIps[1] !== undefined && ips[1] !== undefined && oldIps[1] !== ips[1]) {
    errors.push(field.invalid(ADDRESSES.index(1), ips, fixed));
  }
  if (oldFamilies[0] !== undefined && families[0] !== undefined && oldFamilies[0] !== families[0]) {
    errors.push(field.invalid(FAMILY_LIST.index(0), families, fixed));
  } else if (oldFamilies[1] !== undefined && families[1] !== undefined && oldFamilies[1] !== families[1]) {
    errors.push(field.invalid(FAMILY_LIST.index(1), families, fixed));
  }
  return errors;
}
