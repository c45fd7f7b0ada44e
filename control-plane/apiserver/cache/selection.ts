import type { FieldSelector } from '../../../libs/machinery/fields.ts';
import type { LabelSelector } from '../../../libs/machinery/labels.ts';
import type { Encoded } from './encoded.ts';

/** Which objects of a resource a list or a watch wants. */
export interface Selection {
  /** '' for all. */
  readonly namespace: string;
  /** The one name that can match; undefined for any. */
  readonly name?: string;
  /** A field that must have just this value, by which an index can find the objects. */
  readonly field?: { readonly label: string; readonly value: string };
  /** Undefined: every object of the namespace (and name) matches. */
  readonly matches?: (object: Encoded) => boolean;
}

/**
 * The selection that selectors say. Fields must be ones that the kind has: an object's unknown field counts as empty.
 * `metadata.name=x` and `metadata.namespace=x` become part of where to look.
 */
export function selectionOf(namespace: string, labels?: LabelSelector, fields?: FieldSelector): Selection {
  if (!fields && (!labels || labels.empty)) return { namespace };
  const requirements = fields?.requirements ?? [];
  const name = fields?.exactMatch('metadata.name');
  const exact = requirements.find(({ field, operator }) => operator === '=' && !field.startsWith('metadata.'));
  const byLabel = labels && !labels.empty ? labels : undefined;
  const rest = requirements.filter(
    ({ field, operator, value }) => !(field === 'metadata.name' && operator === '=' && value === name),
  );
  const matches = (object: Encoded): boolean => {
    for (const { field, operator, value } of rest) {
      if (((object.field(field) ?? '') === value) !== (operator === '=')) return false;
    }
    return byLabel === undefined || byLabel.matches(object.labels);
  };
  return {
    namespace,
    ...(name === undefined ? {} : { name }),
    ...(exact === undefined ? {} : { field: { label: exact.field, value: exact.value } }),
    ...(rest.length === 0 && byLabel === undefined ? {} : { matches }),
  };
}

/** Whether the selection is a whole namespace or the whole cluster. */
export const selectsAll = (selection: Selection): boolean =>
  selection.name === undefined && selection.matches === undefined;

export function selects(selection: Selection, object: Encoded): boolean {
  const { namespace, name, matches } = selection;
  return (
    (namespace === '' || object.namespace === namespace) &&
    (name === undefined || object.name === name) &&
    (matches === undefined || matches(object))
  );
}
