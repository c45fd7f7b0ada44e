import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { cidrCovers, parseCidrSloppy } from '../../../libs/machinery/cidr.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { portName, port as portProblems } from '../../../libs/machinery/names.ts';
import { cidrWarnings, validateCidr } from '../../meta/addresses.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../types/networking/v1.generated.ts';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const POLICY_TYPES = ['Egress', 'Ingress'];
const POLICY_TYPES_MAX = 2;

export function validateNetworkPolicy(policy: DeepReadonly<NetworkPolicy>): field.ErrorList {
  return validateSpec(policy, []);
}

export function validateNetworkPolicyUpdate(policy: DeepReadonly<NetworkPolicy>, old: DeepReadonly<NetworkPolicy>) {
  const peers = [
    ...(old.spec?.ingress ?? []).flatMap(({ from }) => from ?? []),
    ...(old.spec?.egress ?? []).flatMap(({ to }) => to ?? []),
  ];
  return validateSpec(
    policy,
    peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : [])),
  );
}

/** `kept`: networks of the old object, which stay acceptable however they are spelt. */
function validateSpec({ spec }: DeepReadonly<NetworkPolicy>, kept: readonly string[]): field.ErrorList {
  const at = field.path('spec');
  const errors = validateLabelSelector(spec?.podSelector, at.child('podSelector'));
  const rule = (
    ports: readonly DeepReadonly<NetworkPolicyPort>[] | undefined,
    peers: readonly DeepReadonly<NetworkPolicyPeer>[] | undefined,
    side: 'from' | 'to',
    here: field.Path,
  ) => {
    (ports ?? []).forEach((port, i) => errors.push(...validatePort(port, here.child('ports').index(i))));
    (peers ?? []).forEach((peer, i) => errors.push(...validatePeer(peer, kept, here.child(side).index(i))));
  };
  (spec?.ingress ?? []).forEach(({ ports, from }, i) => rule(ports, from, 'from', at.child('ingress').index(i)));
  (spec?.egress ?? []).forEach(({ ports, to }, i) => rule(ports, to, 'to', at.child('egress').index(i)));
  const types = spec?.policyTypes ?? [];
  if (types.length > POLICY_TYPES_MAX) {
    errors.push(field.invalid(at.child('policyTypes'), types, 'may not specify more than two policyTypes'));
    return errors;
  }
  types.forEach((type, i) => {
    if (!POLICY_TYPES.includes(type)) {
      errors.push(field.notSupported(at.child('policyTypes').index(i), type, POLICY_TYPES));
    }
  });
  return errors;
}

function validatePort({ protocol, port, endPort }: DeepReadonly<NetworkPolicyPort>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (protocol !== undefined && !PROTOCOLS.includes(protocol)) {
    errors.push(field.notSupported(at.child('protocol'), protocol, PROTOCOLS));
  }
  const end = at.child('endPort');
  if (port === undefined) {
    if (endPort !== undefined) {
      errors.push(field.invalid(end, endPort, 'may not be specified when `port` is not specified'));
    }
    return errors;
  }
  if (typeof port === 'string') {
    if (endPort !== undefined)
      errors.push(field.invalid(end, endPort, 'may not be specified when `port` is non-numeric'));
    for (const problem of portName(port)) errors.push(field.invalid(at.child('port'), port, problem));
    return errors;
  }
  for (const problem of portProblems(port)) errors.push(field.invalid(at.child('port'), port, problem));
  if (endPort === undefined) return errors;
  if (endPort < port) errors.push(field.invalid(end, port, 'must be greater than or equal to `port`'));
  for (const problem of portProblems(endPort)) errors.push(field.invalid(end, endPort, problem));
  return errors;
}

function validatePeer(peer: DeepReadonly<NetworkPolicyPeer>, kept: readonly string[], at: field.Path): field.ErrorList {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const errors = [
    ...validateLabelSelector(podSelector, at.child('podSelector')),
    ...validateLabelSelector(namespaceSelector, at.child('namespaceSelector')),
    ...(ipBlock ? validateIPBlock(ipBlock, kept, at.child('ipBlock')) : []),
  ];
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(field.required(at, 'must specify a peer'));
  else if (ipBlock && (podSelector || namespaceSelector)) {
    errors.push(field.forbidden(at, 'may not specify both ipBlock and another peer'));
  }
  return errors;
}

function validateIPBlock(
  { cidr, except }: DeepReadonly<IPBlock>,
  kept: readonly string[],
  at: field.Path,
): field.ErrorList {
  if (!cidr) return [field.required(at.child('cidr'))];
  const problems = validateCidr(cidr, at.child('cidr'), kept);
  const outer = parseCidrSloppy(cidr);
  if (problems.length > 0 || !outer) return problems;
  return (except ?? []).flatMap((text, i) => {
    const here = at.child('except').index(i);
    const wrong = validateCidr(text, here, kept);
    const inner = parseCidrSloppy(text);
    if (wrong.length > 0 || !inner) return wrong;
    const inside = cidrCovers(outer.network, inner.network) && inner.network.prefix > outer.network.prefix;
    return inside ? [] : [field.invalid(here, text, 'must be a strict subset of `cidr`')];
  });
}

/** Networks that are accepted, but spelt as they should not be. */
export function networkPolicyWarnings({ spec }: DeepReadonly<NetworkPolicy>): string[] {
  const at = field.path('spec');
  const ofPeers = (peers: readonly DeepReadonly<NetworkPolicyPeer>[] | undefined, there: field.Path) =>
    (peers ?? []).flatMap(({ ipBlock }, i) => {
      if (!ipBlock) return [];
      const here = there.index(i).child('ipBlock');
      return [
        ...cidrWarnings(ipBlock.cidr, here.child('cidr')),
        ...(ipBlock.except ?? []).flatMap((cidr, j) => cidrWarnings(cidr, here.child('except').index(j))),
      ];
    });
  return [
    ...(spec?.ingress ?? []).flatMap(({ from }, i) => ofPeers(from, at.child('ingress').index(i).child('from'))),
    ...(spec?.egress ?? []).flatMap(({ to }, i) => ofPeers(to, at.child('egress').index(i).child('to'))),
  ];
}
