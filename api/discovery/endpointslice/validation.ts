import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  fullyQualifiedDomainName,
  labelValue,
  qualifiedName,
} from '../../../libs/machinery/names.ts';
import { validateCanonicalIp, validateEndpointIp, validateIpOfVersion } from '../../meta/addresses.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { validateMatchLabels } from '../../meta/label-selector.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../types/discovery/v1.generated.ts';

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const ENDPOINTS_MAX = 1000;
const ADDRESSES_MAX = 100;
const TOPOLOGY_LABELS_MAX = 16;
const PORTS_MAX = 20_000;
const HINTS_MAX = 8;

export function validateEndpointSlice(slice: DeepReadonly<EndpointSlice>): field.ErrorList {
  return validateSlice(slice, []);
}

export function validateEndpointSliceUpdate(
  slice: DeepReadonly<EndpointSlice>,
  old: DeepReadonly<EndpointSlice>,
): field.ErrorList {
  const kept = (old.endpoints ?? []).flatMap(({ addresses }) => addresses ?? []);
  return [...validateSlice(slice, kept), ...validateImmutable(slice.addressType, old.addressType, 'addressType')];
}

function validateSlice(slice: DeepReadonly<EndpointSlice>, kept: readonly string[]): field.ErrorList {
  const { addressType = '', endpoints, ports } = slice;
  const errors: field.ErrorList = [];
  if (addressType === '') errors.push(field.required('addressType'));
  else if (!ADDRESS_TYPES.includes(addressType)) {
    errors.push(field.notSupported('addressType', addressType, ADDRESS_TYPES));
  }
  errors.push(...validatePorts(ports ?? []));
  errors.push(...validateEndpoints(endpoints ?? [], addressType, kept));
  return errors;
}

function validateEndpoints(endpoints: readonly DeepReadonly<Endpoint>[], type: string, kept: readonly string[]) {
  const at = field.path('endpoints');
  if (endpoints.length > ENDPOINTS_MAX) return [field.tooMany(at, endpoints.length, ENDPOINTS_MAX)];
  return endpoints.flatMap((endpoint, i) => validateEndpoint(endpoint, type, kept, at.index(i)));
}

function validateEndpoint(
  endpoint: DeepReadonly<Endpoint>,
  type: string,
  kept: readonly string[],
  at: field.Path,
): field.ErrorList {
  const addresses = endpoint.addresses ?? [];
  const there = at.child('addresses');
  const errors: field.ErrorList = [];
  if (addresses.length === 0) errors.push(field.required(there, 'must contain at least 1 address'));
  else if (addresses.length > ADDRESSES_MAX) errors.push(field.tooMany(there, addresses.length, ADDRESSES_MAX));
  addresses.forEach((address, i) => errors.push(...validateAddress(address, type, kept, there.index(i))));
  if (endpoint.nodeName !== undefined) {
    const { nodeName } = endpoint;
    for (const problem of dns1123Subdomain(nodeName))
      errors.push(field.invalid(at.child('nodeName'), nodeName, problem));
  }
  const { deprecatedTopology: topology, hostname, hints } = endpoint;
  if (topology !== undefined) {
    const here = at.child('deprecatedTopology');
    errors.push(...validateMatchLabels(topology, here));
    const count = Object.keys(topology).length;
    if (count > TOPOLOGY_LABELS_MAX) errors.push(field.tooMany(here, count, TOPOLOGY_LABELS_MAX));
  }
  if (hostname !== undefined) {
    for (const problem of dns1123Label(hostname)) errors.push(field.invalid(at.child('hostname'), hostname, problem));
  }
  if (hints?.forZones) errors.push(...validateHints(hints.forZones, labelValue, at.child('hints', 'forZones')));
  if (hints?.forNodes) errors.push(...validateHints(hints.forNodes, dns1123Subdomain, at.child('hints', 'forNodes')));
  return errors;
}

function validateAddress(address: string, type: string, kept: readonly string[], at: field.Path): field.ErrorList {
  if (type === 'FQDN') return fullyQualifiedDomainName(address).map((problem) => field.invalid(at, address, problem));
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  // What was accepted once stays acceptable.
  if (kept.includes(address)) return [];
  const errors = validateCanonicalIp(address, at);
  if (errors.length > 0) return errors;
  return [...validateIpOfVersion(address, type === 'IPv4' ? 4 : 6, at), ...validateEndpointIp(address, at)];
}

function validateHints(
  hints: readonly { readonly name: string }[],
  problemsOf: (name: string) => readonly string[],
  at: field.Path,
): field.ErrorList {
  if (hints.length > HINTS_MAX) return [field.tooMany(at, hints.length, HINTS_MAX)];
  const seen = new Set<string>();
  return hints.flatMap(({ name = '' }, i) => {
    const here = at.index(i).child('name');
    const errors = seen.has(name) ? [field.duplicate(here, name)] : [];
    seen.add(name);
    return [...errors, ...problemsOf(name).map((problem) => field.invalid(here, name, problem))];
  });
}

function validatePorts(ports: readonly DeepReadonly<EndpointPort>[]): field.ErrorList {
  const at = field.path('ports');
  if (ports.length > PORTS_MAX) return [field.tooMany(at, ports.length, PORTS_MAX)];
  const names = new Set<string>();
  const errors: field.ErrorList = [];
  ports.forEach(({ name = '', protocol, appProtocol }, i) => {
    const here = at.index(i);
    if (name !== '') {
      for (const problem of dns1123Label(name)) errors.push(field.invalid(here.child('name'), name, problem));
    }
    if (names.has(name)) errors.push(field.duplicate(here.child('name'), name));
    names.add(name);
    if (protocol === undefined) errors.push(field.required(here.child('protocol')));
    else if (!PROTOCOLS.includes(protocol))
      errors.push(field.notSupported(here.child('protocol'), protocol, PROTOCOLS));
    if (appProtocol !== undefined) {
      for (const problem of qualifiedName(appProtocol)) {
        errors.push(field.invalid(here.child('appProtocol'), appProtocol, problem));
      }
    }
  });
  return errors;
}
