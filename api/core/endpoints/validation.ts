import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import {
  isLinkLocal,
  isLinkLocalMulticast,
  isLoopback,
  isUnspecified,
  parseIp,
  parseIpSloppy,
} from '../../../libs/machinery/ip.ts';
import { dns1123Label, dns1123Subdomain, port as portNumber } from '../../../libs/machinery/names.ts';
import { validateIp } from '../../meta/addresses.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../../types/core/v1.generated.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

export function validateEndpoints(endpoints: DeepReadonly<Endpoints>, old?: DeepReadonly<Endpoints>): field.ErrorList {
  const known = (old?.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [] }) =>
    [...addresses, ...notReadyAddresses].map(({ ip }) => ip),
  );
  return (endpoints.subsets ?? []).flatMap((subset, i) =>
    validateSubset(subset, known, field.path('subsets').index(i)),
  );
}

function validateSubset(
  subset: DeepReadonly<EndpointSubset>,
  known: readonly string[],
  at: field.Path,
): field.ErrorList {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  const errors: field.ErrorList = [];
  if (addresses.length + notReadyAddresses.length === 0) {
    errors.push(field.required(at, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const [name, list] of Object.entries({ addresses, notReadyAddresses })) {
    list.forEach((address, i) => errors.push(...validateAddress(address, known, at.child(name).index(i))));
  }
  ports.forEach((port, i) => errors.push(...validatePort(port, ports.length > 1, at.child('ports').index(i))));
  return errors;
}

function validateAddress(
  { ip = '', hostname, nodeName }: DeepReadonly<EndpointAddress>,
  known: readonly string[],
  at: field.Path,
) {
  const here = at.child('ip');
  const errors = validateIp(ip, here, known);
  if (hostname)
    for (const text of dns1123Label(hostname)) errors.push(field.invalid(at.child('hostname'), hostname, text));
  if (nodeName !== undefined) {
    for (const text of dns1123Subdomain(nodeName)) errors.push(field.invalid(at.child('nodeName'), nodeName, text));
  }
  return [...errors, ...validateOrdinary(ip, here)];
}

/** Traffic goes to an address of one machine somewhere else. */
function validateOrdinary(text: string, at: field.Path): field.ErrorList {
  const ip = parseIp(text) ?? parseIpSloppy(text);
  if (!ip) return [field.invalid(at, text, 'must be a valid IP address')];
  const wrong = (detail: string) => [field.invalid(at, text, detail)];
  if (isUnspecified(ip)) return wrong(`may not be unspecified (${text})`);
  if (isLoopback(ip)) return wrong('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (isLinkLocal(ip)) return wrong('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  return isLinkLocalMulticast(ip)
    ? wrong('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')
    : [];
}

function validatePort(
  { name = '', port = 0, protocol = '' }: DeepReadonly<EndpointPort>,
  named: boolean,
  at: field.Path,
) {
  const errors: field.ErrorList = [];
  if (name === '') {
    if (named) errors.push(field.required(at.child('name')));
  } else for (const text of dns1123Label(name)) errors.push(field.invalid(at.child('name'), name, text));
  for (const text of portNumber(port)) errors.push(field.invalid(at.child('port'), port, text));
  if (protocol === '') errors.push(field.required(at.child('protocol')));
  else if (!PROTOCOLS.includes(protocol)) errors.push(field.notSupported(at.child('protocol'), protocol, PROTOCOLS));
  return errors;
}
