import type { Node, Pod } from '../../cache/cluster-objects.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import { amountsOf, podRequests } from '../../cache/resources.ts';
import type { Plugin } from '../../framework/plugin.ts';
import { type Status, status, unresolvable, unschedulable } from '../../framework/status.ts';
import { DEFAULT_RESOURCES, type ScoringStrategy, strategyScore } from './scoring-strategy.ts';

export const NAME = 'NodeResourcesFit';

export interface NodeResourcesFitArgs {
  readonly ignoredResources?: readonly string[];
  /** Prefixes of resources, up to the slash. */
  readonly ignoredResourceGroups?: readonly string[];
  readonly scoringStrategy?: ScoringStrategy;
}

const TOO_MANY = unschedulable(NAME, 'Too many pods');

/** A node must have what the pod asks for, and is the better the more it keeps (or the fuller it gets). */
export function nodeResourcesFit(args: NodeResourcesFitArgs = {}): Plugin {
  const ignored = new Set(args.ignoredResources ?? []);
  const ignoredGroups = new Set(args.ignoredResourceGroups ?? []);
  const strategy = args.scoringStrategy ?? { type: 'LeastAllocated', resources: DEFAULT_RESOURCES };
  const counts = (resource: string): boolean =>
    !ignored.has(resource) && !(resource.includes('/') && ignoredGroups.has(resource.slice(0, resource.indexOf('/'))));
  return {
    name: NAME,
    scope: 'node',
    interests: [
      { kind: 'Pod', actions: ['delete'] },
      { kind: 'Pod', actions: ['update', 'self'], helps: shrinks },
      {
        kind: 'Node',
        actions: ['add', 'update'],
        helps: (pod, { object, previous }) => roomAppears(pod, object as Node, previous as Node | undefined),
      },
    ],
    preFilter: ({ pod, state }) => {
      const requests = [...pod.template.requests]
        .filter(([resource, amount]) => amount > 0 && counts(resource))
        .map(([resource, amount]) => ({
          resource,
          amount,
          allocatable: state.allocatable(resource),
          requested: state.requested(resource),
        }));
      const podsAllowed = state.allocatable('pods');
      return {
        filter: (node) => {
          const tooMany = (state.pods[node]?.size ?? 0) + 1 > (podsAllowed.values[node] as number);
          let short = false;
          for (const { amount, allocatable, requested } of requests) {
            if (amount > (allocatable.values[node] as number) - (requested.values[node] as number)) short = true;
          }
          if (!short) return tooMany ? TOO_MANY : undefined;
          return refusal(node, requests, tooMany);
        },
      };
    },
    preScore: ({ pod, state }) => ({ score: strategyScore(strategy, state, pod.template) }),
  };
}

function refusal(
  node: number,
  requests: readonly {
    resource: string;
    amount: number;
    allocatable: { values: Float64Array };
    requested: { values: Float64Array };
  }[],
  tooMany: boolean,
): Status {
  const reasons = tooMany ? ['Too many pods'] : [];
  let never = false;
  for (const { resource, amount, allocatable, requested } of requests) {
    const capacity = allocatable.values[node] as number;
    if (amount <= capacity - (requested.values[node] as number)) continue;
    reasons.push(`Insufficient ${resource}`);
    // More than the whole node has: removing pods would not help.
    if (amount > capacity) never = true;
  }
  return never ? unresolvable(NAME, ...reasons) : status('Unschedulable', NAME, ...reasons);
}

function shrinks(_: PodInfo, { object, previous }: { object: object | undefined; previous: object | undefined }) {
  if (!object || !previous) return true;
  const before = podRequests(previous as Pod, false);
  const after = podRequests(object as Pod, false);
  return [...before].some(([resource, amount]) => (after.get(resource) ?? 0) < amount);
}

/** A node that is new or has grown, and that is large enough for the pod by itself. */
function roomAppears({ template }: PodInfo, node: Node, previous: Node | undefined): boolean {
  const now = amountsOf(node.status?.allocatable as Record<string, unknown> | undefined);
  if ((now.get('pods') ?? 0) < 1) return false;
  for (const [resource, amount] of template.requests) if (amount > (now.get(resource) ?? 0)) return false;
  if (!previous) return true;
  const before = amountsOf(previous.status?.allocatable as Record<string, unknown> | undefined);
  const grown = (resource: string) => (now.get(resource) ?? 0) > (before.get(resource) ?? 0);
  return grown('pods') || [...template.requests.keys()].some(grown);
}
