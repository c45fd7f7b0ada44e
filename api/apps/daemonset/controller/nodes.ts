// Which nodes a DaemonSet's pods belong on, and what its pods tolerate so that they stay there.

import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { requirement } from '../../../../libs/machinery/labels.ts';
import type { Node, NodeSelectorTerm, PodSpec, Toleration } from '../../../types/core/v1.generated.ts';

const TOLERATED: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const HOST_NETWORK: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** The tolerations of a pod of a DaemonSet: the template's, and those for every trouble that a node may have. */
export function daemonTolerations(spec: DeepReadonly<PodSpec>): Toleration[] {
  const tolerations = [...((spec.tolerations ?? []) as Toleration[])];
  for (const toleration of spec.hostNetwork ? [...TOLERATED, HOST_NETWORK] : TOLERATED) {
    const { key, effect } = toleration;
    if (!tolerations.some((known) => known.key === key && known.effect === effect && known.operator === 'Exists')) {
      tolerations.push(toleration);
    }
  }
  return tolerations;
}

/** `run`: a pod may be made there; `stay`: one that is there already may remain. */
export function fitOf(
  spec: DeepReadonly<PodSpec>,
  node: Live<Node>,
): { readonly run: boolean; readonly stay: boolean } {
  const labels = (node.metadata.labels ?? {}) as Record<string, string>;
  const chosen = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const named = spec.nodeName === undefined || spec.nodeName === '' || spec.nodeName === node.metadata.name;
  if (!chosen || !named || (terms && !terms.some((term) => termMatches(term, node, labels))))
    return { run: false, stay: false };
  const tolerations = daemonTolerations(spec);
  const untolerated = (node.spec?.taints ?? []).filter((taint) => !tolerations.some((one) => tolerates(one, taint)));
  return {
    run: !untolerated.some(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute'),
    stay: !untolerated.some(({ effect }) => effect === 'NoExecute'),
  };
}

const OPERATORS = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!', Gt: 'gt', Lt: 'lt' } as const;

function termMatches(
  term: DeepReadonly<NodeSelectorTerm>,
  node: Live<Node>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const holds =
    (on: Readonly<Record<string, string>>) =>
    ({ key, operator, values = [] }: (typeof matchExpressions)[number]) => {
      const { operator: known } = requirement(key, OPERATORS[operator as keyof typeof OPERATORS], [...values]);
      const value = Object.hasOwn(on, key) ? on[key] : undefined;
      switch (known) {
        case 'in':
          return value !== undefined && values.includes(value);
        case 'notin':
          return value === undefined || !values.includes(value);
        case 'exists':
          return value !== undefined;
        case '!':
          return value === undefined;
        default:
          return (
            value !== undefined &&
            (known === 'gt' ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]))
          );
      }
    };
  return matchExpressions.every(holds(labels)) && matchFields.every(holds({ 'metadata.name': node.metadata.name }));
}

export function tolerates(
  { key, operator = 'Equal', value = '', effect }: DeepReadonly<Toleration>,
  taint: { readonly key: string; readonly value?: string; readonly effect: string },
): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  return operator === 'Exists' || (Boolean(key) && value === (taint.value ?? ''));
}
