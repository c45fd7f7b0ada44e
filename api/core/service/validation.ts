import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { parseIpSloppy } from '../../../libs/machinery/ip.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  portName,
  port as portProblems,
  qualifiedName,
} from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateCidr, validateEndpointIp, validateIp } from '../../meta/addresses.ts';
import { IMMUTABLE } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import { validateMatchLabels } from '../../meta/label-selector.ts';
import type { Service, ServicePort } from '../../types/core/v1.generated.ts';
import { validateAddressesUpdate, validateAddressFields } from './address-fields.ts';
import {
  isHeadless,
  isLoadBalancer,
  needsClusterIP,
  needsExternalTrafficPolicy,
  needsHealthCheckNodePort,
  typeOf,
} from './forms.ts';

type Seen = DeepReadonly<Service>;

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const AFFINITIES = ['ClientIP', 'None'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const IP_MODES = ['Proxy', 'VIP'];
const LOAD_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'";
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const DAY_SECONDS = 86_400;
const SPEC = field.path('spec');

export const validateService = (service: Seen): field.ErrorList => validate(service, undefined);

export function validateServiceUpdate(service: Seen, old: Seen): field.ErrorList {
  return [
    ...validateAddressesUpdate(service, old),
    ...validateClassUpdate(service, old),
    ...validateHealthCheckUpdate(service, old),
    ...validate(service, old),
  ];
}

function validate(service: Seen, old: Seen | undefined): field.ErrorList {
  const spec = service.spec ?? {};
  const type = typeOf(service);
  const errors = validateTopologyAnnotations(service);
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(service) && type !== 'ExternalName')
    errors.push(field.required(SPEC.child('ports')));
  if ((type === 'LoadBalancer' || type === 'NodePort') && isHeadless(service)) {
    const why = `may not be set to 'None' for ${type} services`;
    errors.push(field.invalid(SPEC.child('clusterIPs').index(0), spec.clusterIPs?.[0], why));
  }
  if (type === 'ExternalName') {
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(field.required(SPEC.child('externalName')));
    else
      for (const problem of dns1123Subdomain(name))
        errors.push(field.invalid(SPEC.child('externalName'), name, problem));
  }
  const names = new Set<string>();
  ports.forEach((port, i) => errors.push(...validatePort(port, ports.length > 1, names, SPEC.child('ports').index(i))));
  errors.push(...validateMatchLabels(spec.selector ?? {}, SPEC.child('selector')));
  errors.push(...validateAffinity(service));
  errors.push(...validateAddressFields(service, old));
  (spec.externalIPs ?? []).forEach((ip, i) => {
    const at = SPEC.child('externalIPs').index(i);
    const wrong = validateIp(ip, at, old?.spec?.externalIPs);
    errors.push(...(wrong.length > 0 ? wrong : validateEndpointIp(ip, at)));
  });
  if (type === '') errors.push(field.required(SPEC.child('type')));
  else if (!TYPES.includes(type)) errors.push(field.notSupported(SPEC.child('type'), type, TYPES));
  errors.push(...validatePortNumbers(service));
  errors.push(...validateLoadBalancerFields(service, old));
  errors.push(...validatePolicies(service));
  return errors;
}

function validateTopologyAnnotations({ metadata }: Seen): field.ErrorList {
  const [mode, hints] = [metadata?.annotations?.[TOPOLOGY_MODE], metadata?.annotations?.[TOPOLOGY_HINTS]];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const why = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
  return [field.invalid(field.path('metadata', 'annotations').key(TOPOLOGY_MODE), mode, why)];
}

function validatePort(port: DeepReadonly<ServicePort>, mustBeNamed: boolean, names: Set<string>, at: field.Path) {
  const errors: field.ErrorList = [];
  const { name = '', protocol = '', targetPort = 0, appProtocol } = port;
  if (name === '') {
    if (mustBeNamed) errors.push(field.required(at.child('name')));
  } else {
    for (const problem of dns1123Label(name)) errors.push(field.invalid(at.child('name'), name, problem));
    if (names.has(name)) errors.push(field.duplicate(at.child('name'), name));
    names.add(name);
  }
  for (const problem of portProblems(port.port)) errors.push(field.invalid(at.child('port'), port.port, problem));
  if (protocol === '') errors.push(field.required(at.child('protocol')));
  else if (!PROTOCOLS.includes(protocol)) errors.push(field.notSupported(at.child('protocol'), protocol, PROTOCOLS));
  const problems = typeof targetPort === 'string' ? portName(targetPort) : portProblems(targetPort);
  for (const problem of problems) errors.push(field.invalid(at.child('targetPort'), targetPort, problem));
  if (appProtocol !== undefined) {
    for (const problem of qualifiedName(appProtocol))
      errors.push(field.invalid(at.child('appProtocol'), appProtocol, problem));
  }
  return errors;
}

function validateAffinity({ spec }: Seen): field.ErrorList {
  const affinity = spec?.sessionAffinity ?? '';
  const config = spec?.sessionAffinityConfig;
  const at = SPEC.child('sessionAffinityConfig');
  if (affinity === '') return [field.required(SPEC.child('sessionAffinity'))];
  if (!AFFINITIES.includes(affinity)) return [field.notSupported(SPEC.child('sessionAffinity'), affinity, AFFINITIES)];
  if (affinity === 'None') {
    return config ? [field.forbidden(at, 'must not be set when session affinity is None')] : [];
  }
  const seconds = config?.clientIP?.timeoutSeconds;
  if (seconds === undefined) return [field.required(at, 'when session affinity type is ClientIP')];
  if (seconds > 0 && seconds <= DAY_SECONDS) return [];
  const why = `must be greater than 0 and less than ${DAY_SECONDS}`;
  return [field.invalid(at.child('clientIP', 'timeoutSeconds'), seconds, why)];
}

function validatePortNumbers(service: Seen): field.ErrorList {
  const errors: field.ErrorList = [];
  const ports = service.spec?.ports ?? [];
  const each = (check: (port: DeepReadonly<ServicePort>, at: field.Path) => void) =>
    ports.forEach((port, i) => check(port, SPEC.child('ports').index(i)));
  if (typeOf(service) === 'ClusterIP') {
    each(({ nodePort }, at) => {
      if (nodePort) errors.push(field.forbidden(at.child('nodePort'), "may not be used when `type` is 'ClusterIP'"));
    });
  }
  const nodePorts = new Set<string>();
  each(({ protocol, nodePort }, at) => {
    if (!nodePort) return;
    if (nodePorts.has(`${protocol}/${nodePort}`)) errors.push(field.duplicate(at.child('nodePort'), nodePort));
    nodePorts.add(`${protocol}/${nodePort}`);
  });
  const numbers = new Set<string>();
  each(({ protocol, port }, at) => {
    const shown = () => field.verbatim(internalJson('core.v1.ServicePort', { protocol, port }));
    if (numbers.has(`${protocol}/${port}`)) errors.push(field.duplicate(at, shown()));
    numbers.add(`${protocol}/${port}`);
  });
  return errors;
}

function validateLoadBalancerFields(service: Seen, old: Seen | undefined): field.ErrorList {
  const errors = validateSourceRanges(service, old);
  const { allocateLoadBalancerNodePorts: allocate, loadBalancerClass } = service.spec ?? {};
  const at = SPEC.child('allocateLoadBalancerNodePorts');
  if (isLoadBalancer(service)) {
    // The API tells of it without the path before it.
    if (allocate === undefined) errors.push(field.required(field.path('allocateLoadBalancerNodePorts')));
  } else if (allocate !== undefined) errors.push(field.forbidden(at, LOAD_BALANCER_ONLY));
  if (loadBalancerClass === undefined) return errors;
  const there = SPEC.child('loadBalancerClass');
  if (!isLoadBalancer(service)) return [...errors, field.forbidden(there, LOAD_BALANCER_ONLY)];
  for (const problem of qualifiedName(loadBalancerClass.toLowerCase())) {
    errors.push(field.invalid(there, loadBalancerClass, problem));
  }
  return errors;
}

function validateSourceRanges(service: Seen, old: Seen | undefined): field.ErrorList {
  const ranges = service.spec?.loadBalancerSourceRanges ?? [];
  const annotation = service.metadata?.annotations?.[SOURCE_RANGES];
  const errors: field.ErrorList = [];
  if (ranges.length > 0) {
    const at = SPEC.child('LoadBalancerSourceRanges');
    if (!isLoadBalancer(service)) errors.push(field.forbidden(at, LOAD_BALANCER_ONLY));
    const kept = old?.spec?.loadBalancerSourceRanges?.map((range) => range.trim());
    ranges.forEach((range, i) => errors.push(...validateCidr(range.trim(), at.index(i), kept)));
  } else if (annotation !== undefined) {
    const at = field.path('metadata', 'annotations').key(SOURCE_RANGES);
    if (!isLoadBalancer(service)) errors.push(field.forbidden(at, LOAD_BALANCER_ONLY));
    else if (annotation.trim() !== '') {
      for (const range of annotation.split(',')) errors.push(...validateCidr(range.trim(), at));
    }
  }
  return errors;
}

function validatePolicies(service: Seen): field.ErrorList {
  const { externalTrafficPolicy: external = '', healthCheckNodePort = 0 } = service.spec ?? {};
  const { internalTrafficPolicy: internal, trafficDistribution } = service.spec ?? {};
  const errors: field.ErrorList = [];
  const at = SPEC.child('externalTrafficPolicy');
  if (!needsExternalTrafficPolicy(service)) {
    if (external !== '') errors.push(field.invalid(at, external, 'may only be set for externally-accessible services'));
  } else if (external === '') errors.push(field.required(at));
  else if (!POLICIES.includes(external)) errors.push(field.notSupported(at, external, POLICIES));
  const health = SPEC.child('healthCheckNodePort');
  if (!needsHealthCheckNodePort(service)) {
    if (healthCheckNodePort !== 0) {
      const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
      errors.push(field.invalid(health, healthCheckNodePort, why));
    }
  } else if (healthCheckNodePort === 0) errors.push(field.required(health));
  else
    for (const problem of portProblems(healthCheckNodePort))
      errors.push(field.invalid(health, healthCheckNodePort, problem));
  if (internal === undefined) {
    if (needsClusterIP(service)) errors.push(field.required(SPEC.child('internalTrafficPolicy')));
  } else if (!POLICIES.includes(internal)) {
    errors.push(field.notSupported(SPEC.child('internalTrafficPolicy'), internal, POLICIES));
  }
  if (trafficDistribution !== undefined && !DISTRIBUTIONS.includes(trafficDistribution)) {
    errors.push(field.notSupported(SPEC.child('trafficDistribution'), trafficDistribution, DISTRIBUTIONS));
  }
  return errors;
}

/** A load balancer's class says who makes it, and so is fixed as long as it is one. */
function validateClassUpdate(service: Seen, old: Seen): field.ErrorList {
  const at = SPEC.child('loadBalancerClass');
  const { loadBalancerClass } = service.spec ?? {};
  if (isLoadBalancer(old) && isLoadBalancer(service)) {
    if (sameValue(loadBalancerClass, old.spec?.loadBalancerClass)) return [];
    return [field.invalid(at, loadBalancerClass ?? null, 'may not change once set')];
  }
  return !isLoadBalancer(service) && loadBalancerClass !== undefined ? [field.forbidden(at, LOAD_BALANCER_ONLY)] : [];
}

/** Load balancers know the port. */
function validateHealthCheckUpdate(service: Seen, old: Seen): field.ErrorList {
  if (!needsHealthCheckNodePort(service) || !needsHealthCheckNodePort(old)) return [];
  if ((service.spec?.healthCheckNodePort ?? 0) === (old.spec?.healthCheckNodePort ?? 0)) return [];
  return [field.forbidden(SPEC.child('healthCheckNodePort'), IMMUTABLE)];
}

export function validateServiceStatus(service: Seen, old: Seen): field.ErrorList {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const at = field.path('status', 'loadBalancer', 'ingress');
  if (!isLoadBalancer(service) && ingress.length > 0) {
    return [field.forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const kept = (old.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '');
  return ingress.flatMap(({ ip, ipMode, hostname }, i) => {
    const here = at.index(i);
    const errors = ip ? validateIp(ip, here.child('ip'), kept) : [];
    if (ip && ipMode === undefined)
      errors.push(field.required(here.child('ipMode'), 'must be specified when `ip` is set'));
    else if (!ip && ipMode !== undefined) {
      errors.push(field.forbidden(here.child('ipMode'), 'may not be specified when `ip` is not set'));
    } else if (ipMode !== undefined && !IP_MODES.includes(ipMode)) {
      errors.push(field.notSupported(here.child('ipMode'), ipMode, IP_MODES));
    }
    if (!hostname) return errors;
    for (const problem of dns1123Subdomain(hostname))
      errors.push(field.invalid(here.child('hostname'), hostname, problem));
    if (parseIpSloppy(hostname)) {
      errors.push(field.invalid(here.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
    }
    return errors;
  });
}
