import type { ParsedSigningRequest } from '../../../../libs/base/keys.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Plan, type Reconciler, reading, watching } from '../../../../libs/kind/reconciler.ts';
import { cidrContains, parseCidr } from '../../../../libs/machinery/cidr.ts';
import {
  type Ip,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  parseIp,
} from '../../../../libs/machinery/ip.ts';
import { certificateSigningRequests, endpoints, nodes } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';
import { approve } from './approving.ts';
import {
  isDecided,
  kubeletServingProblem,
  NODE_GROUP,
  NODE_USER_PREFIX,
  type Request,
  readRequest,
  SIGNER,
} from './request.ts';

export interface ServingApprovalSettings {
  /** Networks that no node may claim: those of Services and of pods. */
  readonly reservedCidrs: readonly string[];
  /** Nodes of this very process, which share the API server's address. */
  readonly ownNodes?: readonly string[];
}

export interface Observed {
  readonly request: Request;
  readonly asked: ParsedSigningRequest;
  readonly node: Live<Node> | undefined;
  /** Addresses and names of all other nodes, and of the API server unless the node shares its machine. */
  readonly foreign: ReadonlySet<string>;
  readonly reservedCidrs: readonly string[];
}

export interface Action {
  readonly type: 'approve';
  readonly reason: string;
}

const MESSAGE = 'Auto approving kubelet serving certificate: every name in it is an address of the node that asks.';

/**
 * A kubelet asks for itself, with names that are its node's and nobody else's: approved. Everything else waits for an
 * administrator, as it all does upstream.
 */
export function plan(observed: Observed): Plan<Action> {
  if (isDecided(observed.request) || whyNotApproved(observed) !== undefined) return { actions: [] };
  return { actions: [{ type: 'approve', reason: 'a node asks for its own names' }] };
}

/** Why the request is left to an administrator; undefined: it is good. */
export function whyNotApproved({ request, asked, node, foreign, reservedCidrs }: Observed): string | undefined {
  const { spec } = request;
  if (spec.signerName !== SIGNER.kubeletServing) return 'it is for another signer';
  const problem = kubeletServingProblem(asked, spec.usages ?? []);
  if (problem) return problem;
  if (spec.username !== asked.subject.commonName || !spec.groups?.includes(NODE_GROUP)) {
    return 'it does not come from the node that it names';
  }
  const name = spec.username.slice(NODE_USER_PREFIX.length);
  if (!node || node.metadata.name !== name) return 'there is no such node';
  const own = new Set((node.status?.addresses ?? []).map(({ address }) => address));
  for (const dns of asked.names.dns ?? []) {
    if (dns !== name && !own.has(dns)) return `${dns} is not a name of the node`;
    if (foreign.has(dns) || !mayName(dns)) return `${dns} is not the node's alone`;
  }
  for (const text of asked.names.ip ?? []) {
    const ip = parseIp(text);
    if (!ip || !own.has(text)) return `${text} is not an address of the node`;
    if (foreign.has(text) || !mayAddress(ip, reservedCidrs)) return `${text} is not the node's alone`;
  }
  return undefined;
}

/** Names by which the API server and Services are known cannot be a node's. */
function mayName(dns: string): boolean {
  return !dns.includes('*') && !/^(localhost|kubernetes)(\.|$)|\.(svc|local|localhost)$/.test(dns);
}

function mayAddress(ip: Ip, reservedCidrs: readonly string[]): boolean {
  if (isLoopback(ip) || isUnspecified(ip) || isLinkLocal(ip) || isMulticast(ip)) return false;
  return reservedCidrs.every((text) => {
    const network = parseCidr(text)?.network;
    return !network || !cidrContains(network, ip);
  });
}

/** Tutti's own: approves serving certificates of kubelets whose every name is proved by the cluster's objects. */
export function servingApprovingController(settings: ServingApprovalSettings): Reconciler<Observed, Action> {
  return {
    name: 'kubelet-serving-approving-controller',
    concurrency: 1,
    watches: [
      watching(certificateSigningRequests, ownKey),
      watching(nodes, ({ metadata }, { informers }) => {
        const user = NODE_USER_PREFIX + metadata.name;
        const requests = informers.informer(certificateSigningRequests).list();
        return requests
          .filter((one) => one.spec.signerName === SIGNER.kubeletServing && one.spec.username === user)
          .map((one) => one.metadata.name);
      }),
      reading(endpoints),
    ],
    async observe({ informers, keys }, key) {
      const request = informers.informer(certificateSigningRequests).get(key);
      if (request?.spec.signerName !== SIGNER.kubeletServing || isDecided(request)) return undefined;
      const asked = await readRequest(keys, request);
      if (!asked) return undefined;
      const name = (request.spec.username ?? '').slice(NODE_USER_PREFIX.length);
      const foreign = new Set<string>();
      for (const { metadata, status } of informers.informer(nodes).list()) {
        if (metadata.name === name) continue;
        foreign.add(metadata.name);
        for (const { address } of status?.addresses ?? []) foreign.add(address);
      }
      if (!settings.ownNodes?.includes(name)) {
        const apiServer = informers.informer(endpoints).get('default/kubernetes');
        for (const subset of apiServer?.subsets ?? []) for (const { ip } of subset.addresses ?? []) foreign.add(ip);
      }
      const node = informers.informer(nodes).get(name);
      return { request, asked, node, foreign, reservedCidrs: settings.reservedCidrs };
    },
    plan,
    apply: async (env, _action, { request }) => [await approve(env, request, MESSAGE)],
  };
}
