import type { Labels } from '../../../../libs/machinery/labels.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import type { ClusterObjects, PodDisruptionBudget } from '../../cache/cluster-objects.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import { reasonsMessage } from '../../framework/diagnosis.ts';
import type { Plugin, PostFilterContext, PostFilterResult } from '../../framework/plugin.ts';
import { type Status, unresolvable } from '../../framework/status.ts';
import { type Candidate, pickCandidate, startMs } from './candidates.ts';

export const NAME = 'DefaultPreemption';
const NOT_HELPFUL = unresolvable(NAME, 'Preemption is not helpful for scheduling');
const NO_VICTIMS = unresolvable(NAME, 'No preemption victims found for incoming pod');
/** Of the nodes where removing pods could help, so many are tried: a tenth, but not fewer than a hundred. */
const CANDIDATES_PERCENT = 10;
const CANDIDATES_MIN = 100;

/** Finds the node where removing the least important pods makes room for a more important one. */
export function defaultPreemption(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [{ kind: 'Pod', actions: ['delete'] }],
    postFilter: (context) => {
      const refusal = ineligible(context);
      if (refusal) return { message: `preemption: ${refusal}` };
      return preempt(context);
    },
  };
}

/** Why the pod may not preempt now. */
function ineligible({ pod, state, diagnosis, objects: _ }: PostFilterContext): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = pod.pod.status?.nominatedNodeName;
  const node = nominated ? state.slotOf(nominated) : undefined;
  if (node === undefined || diagnosis.refusals.get(node)?.code === 'UnschedulableAndUnresolvable') return undefined;
  for (const other of state.pods[node]?.values() ?? []) {
    if (other.terminating && other.priority < pod.priority && preempted(other)) {
      return 'not eligible due to a terminating pod on the nominated node.';
    }
  }
  return undefined;
}

const preempted = ({ pod }: PodInfo): boolean =>
  pod.status?.conditions?.some(
    ({ type, status, reason }) =>
      type === 'DisruptionTarget' && status === 'True' && reason === 'PreemptionByScheduler',
  ) ?? false;

function preempt(context: PostFilterContext): PostFilterResult {
  const { state, diagnosis, random, nowMs } = context;
  const hopeful: number[] = [];
  const refusals = new Map<number, Status>();
  for (const [node, refusal] of diagnosis.refusals) {
    if (refusal.code === 'UnschedulableAndUnresolvable') refusals.set(node, NOT_HELPFUL);
    else hopeful.push(node);
  }
  const wanted = Math.max(CANDIDATES_MIN, Math.floor((hopeful.length * CANDIDATES_PERCENT) / 100));
  const from = hopeful.length > wanted ? random.int(hopeful.length) : 0;
  const budgets = readBudgets(context.objects);
  const candidates: Candidate[] = [];
  for (let i = 0; i < hopeful.length && candidates.length < wanted; i++) {
    const node = hopeful[(from + i) % hopeful.length] as number;
    const found = victimsOn(context, node, budgets);
    if ('code' in found) refusals.set(node, found);
    else candidates.push(found);
  }
  const best = pickCandidate(candidates, nowMs);
  if (!best) return { message: `preemption: ${reasonsMessage(diagnosis.nodesCount, refusals.values())}` };
  return { message: '', nomination: { node: state.names[best.node] as string, victims: best.victims } };
}

/** The pods that would have to go from the node, the most important spared first. The state is left as it was. */
function victimsOn(context: PostFilterContext, node: number, budgets: readonly Budget[]): Candidate | Status {
  const { pod, state, nowMs } = context;
  const name = state.names[node] as string;
  const lower = [...(state.pods[node]?.values() ?? [])].filter(({ priority }) => priority < pod.priority);
  if (lower.length === 0) return NO_VICTIMS;
  const removed = new Set<PodInfo>();
  const remove = (victim: PodInfo) => {
    state.removePod(victim.uid);
    removed.add(victim);
  };
  const back = (victim: PodInfo) => {
    state.addPod(victim, name);
    removed.delete(victim);
  };
  try {
    for (const victim of lower) remove(victim);
    const refusal = context.fits(node);
    if (refusal) return refusal;
    lower.sort((a, b) => b.priority - a.priority || startMs(a, nowMs) - startMs(b, nowMs));
    const { violating, others } = splitByBudgets(lower, budgets);
    let violations = 0;
    for (const victim of [...violating, ...others]) {
      back(victim);
      if (!context.fits(node)) continue;
      remove(victim);
      if (violating.includes(victim)) violations++;
    }
    const victims = lower.filter((victim) => removed.has(victim));
    return { node, victims, violations };
  } finally {
    for (const victim of [...removed]) back(victim);
  }
}

interface Budget {
  readonly budget: PodDisruptionBudget;
  readonly namespace: string;
  matches(labels: Labels): boolean;
}

function readBudgets(objects: ClusterObjects): readonly Budget[] {
  return objects.list('PodDisruptionBudget').flatMap((budget) => {
    try {
      const selector = labelSelectorOf(budget.spec?.selector);
      // An empty selector protects nothing here.
      if (selector.empty) return [];
      return [
        { budget, namespace: budget.metadata?.namespace ?? '', matches: (labels: Labels) => selector.matches(labels) },
      ];
    } catch {
      return [];
    }
  });
}

/** Pods whose eviction would break a budget, counting each budget's allowance down in the pods' order. */
function splitByBudgets(pods: readonly PodInfo[], budgets: readonly Budget[]) {
  const allowed = new Map(budgets.map(({ budget }) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of pods) {
    let violates = false;
    if (Object.keys(pod.labels).length > 0) {
      for (const { budget, namespace, matches } of budgets) {
        if (namespace !== pod.namespace || !matches(pod.labels)) continue;
        // Its eviction is counted already.
        if (Object.hasOwn(budget.status?.disruptedPods ?? {}, pod.name)) continue;
        const left = (allowed.get(budget) ?? 0) - 1;
        allowed.set(budget, left);
        if (left < 0) violates = true;
      }
    }
    (violates ? violating : others).push(pod);
  }
  return { violating, others };
}
