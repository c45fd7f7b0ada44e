import type { TopologySpreadConstraint } from '../../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { ClusterObjects, Node, Pod } from '../../cache/cluster-objects.ts';
import { type PodInfo, readSpreadConstraint, type SpreadConstraint } from '../../cache/pod-info.ts';
import { NAMES_HOSTNAME, NAMES_ZONE } from '../../cache/well-known.ts';
import type { CycleContext, Filtering, Plugin, Scoring } from '../../framework/plugin.ts';
import { unresolvable, unschedulable } from '../../framework/status.ts';
import { defaultSelector } from './default-selector.ts';
import { hasAllKeys, inclusion, type SpreadColumn, spreadColumns } from './spread-counts.ts';

export const NAME = 'PodTopologySpread';
const NO_LABEL = unresolvable(NAME, "node(s) didn't match pod topology spread constraints (missing required label)");
const SKEWED = unschedulable(NAME, "node(s) didn't match pod topology spread constraints");

type Constraint = DeepReadonly<TopologySpreadConstraint>;

/** Upstream's, for pods that say nothing: spread over nodes and, less strictly, over zones. */
const SYSTEM_DEFAULTS: readonly Constraint[] = Object.freeze([
  { topologyKey: NAMES_HOSTNAME, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: NAMES_ZONE, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
]);

export interface PodTopologySpreadArgs {
  readonly defaultingType?: 'System' | 'List';
  readonly defaultConstraints?: readonly Constraint[];
}

/** Pods that belong together are spread evenly over the domains of a topology. */
export function podTopologySpread(args: PodTopologySpreadArgs = {}): Plugin {
  const system = args.defaultingType !== 'List';
  const defaults = system ? SYSTEM_DEFAULTS : (args.defaultConstraints ?? []);
  const constraintsOf = (pod: PodInfo, objects: ClusterObjects, hard: boolean): readonly SpreadConstraint[] => {
    const own = pod.pod.spec?.topologySpreadConstraints ?? [];
    if (own.length > 0) {
      return own.map((one) => readSpreadConstraint(one, pod.labels)).filter((one) => one.hard === hard);
    }
    if (!defaults.some(({ whenUnsatisfiable }) => (whenUnsatisfiable === 'DoNotSchedule') === hard)) return [];
    const selector = defaultSelector(pod, objects);
    if (selector.matchesNothing) return [];
    return defaults.map((one) => readSpreadConstraint(one, pod.labels, selector)).filter((one) => one.hard === hard);
  };
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'Pod', actions: ['add', 'update', 'delete'], helps: concerns },
      { kind: 'Pod', actions: ['self'] },
      { kind: 'Node', actions: ['add', 'update', 'delete'], helps: topologyChanges },
    ],
    preFilter: (context) => {
      const constraints = constraintsOf(context.pod, context.objects, true);
      return constraints.length === 0 ? undefined : hardFiltering(context, constraints);
    },
    preScore: (context, nodes) => {
      const constraints = constraintsOf(context.pod, context.objects, false);
      if (constraints.length === 0) return undefined;
      const own = (context.pod.pod.spec?.topologySpreadConstraints?.length ?? 0) > 0;
      return softScoring(context, nodes(), constraints, own || !system);
    },
  };
}

function hardFiltering({ pod, state }: CycleContext, constraints: readonly SpreadConstraint[]): Filtering {
  const columns = spreadColumns(pod, state, constraints);
  const counted = columns.map((column) => countDomains(pod, columns, column, state));
  return {
    filter: (node) => {
      for (let i = 0; i < columns.length; i++) {
        const { constraint, topology, selfMatch } = columns[i] as SpreadColumn;
        const domain = topology.ids[node] as number;
        if (domain < 0) return NO_LABEL;
        const { counts, min } = counted[i] as DomainCounts;
        const there = counts[domain] as number;
        if ((there < 0 ? 0 : there) + selfMatch - min > constraint.maxSkew) return SKEWED;
      }
      return undefined;
    },
  };
}

interface DomainCounts {
  /** By domain; −1 for one without a node that counts. */
  readonly counts: Int32Array;
  readonly min: number;
}

function countDomains(
  pod: PodInfo,
  columns: readonly SpreadColumn[],
  { constraint, topology, counter }: SpreadColumn,
  state: CycleContext['state'],
): DomainCounts {
  const counts = new Int32Array(topology.domains.length).fill(-1);
  const included = inclusion(pod, state, constraint);
  const { present } = state;
  const { ids } = topology;
  const here = counter.counts;
  for (let node = 0; node < state.length; node++) {
    if (!present[node] || !hasAllKeys(columns, node) || (included && !included(node))) continue;
    const domain = ids[node] as number;
    const before = counts[domain] as number;
    counts[domain] = (before < 0 ? 0 : before) + (here[node] as number);
  }
  let min = Number.MAX_SAFE_INTEGER;
  let domains = 0;
  for (const count of counts) {
    if (count < 0) continue;
    domains++;
    if (count < min) min = count;
  }
  return { counts, min: domains < constraint.minDomains ? 0 : min };
}

function softScoring(
  { pod, state }: CycleContext,
  nodes: Int32Array,
  constraints: readonly SpreadConstraint[],
  requireAll: boolean,
): Scoring {
  const columns = spreadColumns(pod, state, constraints);
  const ignored = new Uint8Array(state.length);
  let ignoredCount = 0;
  if (requireAll) {
    for (const node of nodes) {
      if (hasAllKeys(columns, node)) continue;
      ignored[node] = 1;
      ignoredCount++;
    }
  }
  const parts = columns.map((column) =>
    softPart(pod, state, nodes, columns, column, ignored, ignoredCount, requireAll),
  );
  return {
    score: (node) => {
      if (ignored[node]) return 0;
      let sum = 0;
      for (const { ids, counts, own, weight, maxSkew } of parts) {
        const domain = ids[node] as number;
        if (domain < 0) continue;
        sum += ((own ? own[node] : counts[domain]) as number) * weight + (maxSkew - 1);
      }
      return Math.round(sum);
    },
    normalizeScore: (scores) => {
      let [min, max] = [Number.MAX_SAFE_INTEGER, 0];
      for (let i = 0; i < scores.length; i++) {
        if (ignored[nodes[i] as number]) continue;
        const score = scores[i] as number;
        if (score < min) min = score;
        if (score > max) max = score;
      }
      for (let i = 0; i < scores.length; i++) {
        if (ignored[nodes[i] as number]) scores[i] = 0;
        else scores[i] = max === 0 ? 100 : Math.floor((100 * (max + min - (scores[i] as number))) / max);
      }
    },
  };
}

interface SoftPart {
  readonly ids: Int32Array;
  readonly counts: Int32Array;
  /** For the hostname, where every node is a domain: the node's own count. */
  readonly own: Int32Array | undefined;
  readonly weight: number;
  readonly maxSkew: number;
}

function softPart(
  pod: PodInfo,
  state: CycleContext['state'],
  nodes: Int32Array,
  columns: readonly SpreadColumn[],
  { constraint, topology, counter, hostname }: SpreadColumn,
  ignored: Uint8Array,
  ignoredCount: number,
  requireAll: boolean,
): SoftPart {
  const { ids } = topology;
  const { maxSkew } = constraint;
  const here = counter.counts;
  if (hostname) {
    // Rarer domains weigh less: the logarithm of their number.
    const weight = Math.log(nodes.length - ignoredCount + 2);
    return { ids, counts: here, own: here, weight, maxSkew };
  }
  const counts = new Int32Array(topology.domains.length);
  const wanted = new Uint8Array(topology.domains.length);
  let domains = 0;
  for (const node of nodes) {
    const domain = ids[node] as number;
    if (domain < 0 || ignored[node] || wanted[domain]) continue;
    wanted[domain] = 1;
    domains++;
  }
  const included = inclusion(pod, state, constraint);
  const { present } = state;
  for (let node = 0; node < state.length; node++) {
    const domain = ids[node] as number;
    if (domain < 0 || !present[node] || !wanted[domain] || here[node] === 0) continue;
    if ((requireAll && !hasAllKeys(columns, node)) || (included && !included(node))) continue;
    counts[domain]! += here[node] as number;
  }
  return { ids, counts, own: undefined, weight: Math.log(domains + 2), maxSkew };
}

/** A pod of the same namespace that a constraint counts, or that ceases to be counted. */
function concerns(
  pod: PodInfo,
  { object, previous }: { object: object | undefined; previous: object | undefined },
): boolean {
  const constraints = (pod.pod.spec?.topologySpreadConstraints ?? []).map((one) =>
    readSpreadConstraint(one, pod.labels),
  );
  const counted = (other: Pod | undefined) =>
    Boolean(other) &&
    other?.metadata?.namespace === pod.namespace &&
    constraints.some(({ selector }) => selector.matches(other.metadata?.labels));
  if (constraints.length === 0) return true;
  const [now, before] = [object as Pod | undefined, previous as Pod | undefined];
  if (now && before && now.metadata?.deletionTimestamp && !before.metadata?.deletionTimestamp) return counted(now);
  return counted(now) !== counted(before);
}

function topologyChanges(
  pod: PodInfo,
  { object, previous }: { object: object | undefined; previous: object | undefined },
): boolean {
  const keys = (pod.pod.spec?.topologySpreadConstraints ?? []).map(({ topologyKey }) => topologyKey);
  if (keys.length === 0) return true;
  const values = (node: Node | undefined) => keys.map((key) => node?.metadata?.labels?.[key]);
  const [now, before] = [values(object as Node | undefined), values(previous as Node | undefined)];
  if (object && previous) return now.some((value, index) => value !== before[index]) || taintsChange(object, previous);
  return (object ? now : before).every((value) => value !== undefined);
}

const taintsChange = (object: object, previous: object): boolean =>
  JSON.stringify((object as Node).spec?.taints ?? []) !== JSON.stringify((previous as Node).spec?.taints ?? []);
