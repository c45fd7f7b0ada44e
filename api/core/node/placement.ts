import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { requirement } from '../../../libs/machinery/labels.ts';
import type { Node, NodeSelectorTerm, PodSpec, Toleration } from '../../types/core/v1.generated.ts';

/**
 * Whether a pod may be on a node by what it says of nodes: its `nodeSelector` and its required node affinity (API
 * concept "Assigning Pods to Nodes"). Taints are another matter: `tolerates`.
 */
export function selectsNode(spec: DeepReadonly<PodSpec>, node: DeepReadonly<Node>): boolean {
  const labels = node.metadata?.labels ?? {};
  const chosen = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return chosen && (!terms || terms.some((term) => termMatches(term, node.metadata?.name ?? '', labels)));
}

const OPERATORS = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!', Gt: 'gt', Lt: 'lt' } as const;

function termMatches(
  term: DeepReadonly<NodeSelectorTerm>,
  nodeName: string,
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
  return matchExpressions.every(holds(labels)) && matchFields.every(holds({ 'metadata.name': nodeName }));
}

/** Whether a toleration covers a taint. */
export function tolerates(
  { key, operator = 'Equal', value = '', effect }: DeepReadonly<Toleration>,
  taint: { readonly key: string; readonly value?: string; readonly effect: string },
): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  return operator === 'Exists' || (Boolean(key) && value === (taint.value ?? ''));
}
