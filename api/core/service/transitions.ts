/**
 * What happens to a Service's fields when it changes: the two fields for its addresses are kept the same, what the server
 * gave stays when the client leaves it out, and what belongs to the old type goes with it.
 */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Service, ServiceSpec } from '../../types/core/v1.generated.ts';
import {
  isLoadBalancer,
  mayHaveNodePort,
  needsClusterIP,
  needsExternalTrafficPolicy,
  needsHealthCheckNodePort,
  typeOf,
} from './forms.ts';

type Old = DeepReadonly<Service>;

/** `clusterIP` is the older field; a client that knows only one of the two changes both. */
export function normalizeClusterIPs(service: Service, old?: Old): void {
  const { spec } = service;
  if (!spec) return;
  if (!old) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  const sameOne = (spec.clusterIP ?? '') === (old.spec?.clusterIP ?? '');
  const sameList = sameValue(spec.clusterIPs, old.spec?.clusterIPs);
  if (!sameOne && sameList) {
    if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
    else delete spec.clusterIPs;
  } else if (sameOne && !sameList && !spec.clusterIPs?.length) delete spec.clusterIP;
}

/** A client that does not repeat what the server chose means that it stays. */
export function keepAllocated(service: Service, old: Old): void {
  const { spec } = service;
  const was = old.spec;
  if (!spec || !was) return;
  if (needsClusterIP(old) && needsClusterIP(service)) {
    if (!spec.clusterIP && was.clusterIP) spec.clusterIP = was.clusterIP;
    if (!spec.clusterIPs?.length && spec.clusterIP === was.clusterIP) spec.clusterIPs = [...(was.clusterIPs ?? [])];
  }
  if (mayHaveNodePort(old) && mayHaveNodePort(service)) keepNodePorts(spec, was);
  if (needsHealthCheckNodePort(old) && needsHealthCheckNodePort(service)) {
    spec.healthCheckNodePort ||= was.healthCheckNodePort;
  }
}

function keepNodePorts(spec: ServiceSpec, was: DeepReadonly<ServiceSpec>): void {
  const taken = new Set((spec.ports ?? []).map(({ protocol, nodePort }) => `${protocol}/${nodePort ?? 0}`));
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const before = was.ports?.find((one) => one.protocol === port.protocol && one.port === port.port)?.nodePort;
    if (before && !taken.has(`${port.protocol}/${before}`)) port.nodePort = before;
  }
}

/** What only the old type has and the client did not touch is dropped; touched, it is for validation to refuse. */
export function dropFieldsOfOldType(service: Service, old: Old): void {
  const { spec } = service;
  const was = old.spec;
  if (!spec || !was) return;
  const drop = (...names: (keyof ServiceSpec)[]) => {
    for (const name of names) if (sameValue(spec[name], was[name])) delete spec[name];
  };
  if (needsClusterIP(old) && !needsClusterIP(service)) {
    if (sameValue(spec.clusterIPs, was.clusterIPs) && sameValue(spec.clusterIP, was.clusterIP)) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    drop('ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy');
  }
  const nodePorts = (ports: DeepReadonly<ServiceSpec['ports']>) => (ports ?? []).map(({ nodePort }) => nodePort ?? 0);
  if (mayHaveNodePort(old) && !mayHaveNodePort(service)) {
    const before = new Set(nodePorts(was.ports));
    if (nodePorts(spec.ports).every((port) => port === 0 || before.has(port))) {
      for (const port of spec.ports ?? []) delete port.nodePort;
    }
  }
  if (needsHealthCheckNodePort(old) && !needsHealthCheckNodePort(service)) drop('healthCheckNodePort');
  if (isLoadBalancer(old) && !isLoadBalancer(service)) drop('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  if (needsExternalTrafficPolicy(old) && !needsExternalTrafficPolicy(service)) drop('externalTrafficPolicy');
  if (typeOf(service) === 'ExternalName' && typeOf(old) !== 'ExternalName') drop('internalTrafficPolicy');
}
