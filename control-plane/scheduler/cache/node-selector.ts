import type { NodeSelectorTerm } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Labels } from '../../../libs/machinery/labels.ts';

export type NodeMatch = (name: string, labels: Labels) => boolean;

type Term = DeepReadonly<NodeSelectorTerm>;
type Requirement = NonNullable<Term['matchExpressions']>[number];

const NO_LABELS: Labels = Object.freeze({});
const INTEGER = /^[+-]?[0-9]+$/;

function valueMatches({ operator, values = [] }: Requirement, actual: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
    case 'Lt': {
      const bound = values[0];
      if (actual === undefined || bound === undefined || !INTEGER.test(actual) || !INTEGER.test(bound)) return false;
      const [left, right] = [BigInt(actual.replace('+', '')), BigInt(bound.replace('+', ''))];
      return operator === 'Gt' ? left > right : left < right;
    }
    default:
      return false;
  }
}

/** A term with nothing in it matches nothing. */
export function termMatches(term: Term, name: string, labels: Labels = NO_LABELS): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  for (const requirement of matchExpressions) {
    const { key } = requirement;
    if (!valueMatches(requirement, Object.hasOwn(labels, key) ? labels[key] : undefined)) return false;
  }
  for (const requirement of matchFields) {
    if (!valueMatches(requirement, requirement.key === 'metadata.name' ? name : undefined)) return false;
  }
  return true;
}

/** One of the terms must match. */
export const anyTermMatches = (terms: readonly Term[], name: string, labels: Labels = NO_LABELS): boolean =>
  terms.some((term) => termMatches(term, name, labels));

/** What `nodeSelector` and the required node affinity ask for together; undefined where they ask for nothing. */
export function requiredNodeMatch(
  nodeSelector: Labels | undefined,
  terms: readonly Term[] | undefined,
): NodeMatch | undefined {
  const wanted = Object.entries(nodeSelector ?? {});
  if (wanted.length === 0 && terms === undefined) return undefined;
  return (name, labels) => {
    for (const [key, value] of wanted) if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
    return terms === undefined || anyTermMatches(terms, name, labels);
  };
}
