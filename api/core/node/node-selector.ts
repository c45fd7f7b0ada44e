/** Node selectors, as volumes and device claims have them. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, labelValue, qualifiedName } from '../../../libs/machinery/names.ts';
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from '../../types/core/v1.generated.ts';
import { deprecatedNodeLabel } from './deprecated-labels.ts';

export function validateNodeSelector(selector: DeepReadonly<NodeSelector>, at: field.Path): field.ErrorList {
  const terms = at.child('nodeSelectorTerms');
  if (!selector.nodeSelectorTerms?.length) return [field.required(terms, 'must have at least one node selector term')];
  return selector.nodeSelectorTerms.flatMap((term, i) => validateNodeSelectorTerm(term, terms.index(i)));
}

export function validateNodeSelectorTerm(term: DeepReadonly<NodeSelectorTerm>, at: field.Path): field.ErrorList {
  return [
    ...(term.matchExpressions ?? []).flatMap((one, i) =>
      validateExpression(one, at.child('matchExpressions').index(i)),
    ),
    ...(term.matchFields ?? []).flatMap((one, i) => validateField(one, at.child('matchFields').index(i))),
  ];
}

function validateExpression(requirement: DeepReadonly<NodeSelectorRequirement>, at: field.Path): field.ErrorList {
  const { key = '', operator = '', values = [] } = requirement;
  const errors: field.ErrorList = [];
  const there = at.child('values');
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(field.required(there, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.push(field.forbidden(there, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) {
      errors.push(field.required(there, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
  } else errors.push(field.invalid(at.child('operator'), operator, 'not a valid selector operator'));
  for (const problem of qualifiedName(key)) errors.push(field.invalid(at.child('key'), key, problem));
  values.forEach((value, i) => {
    for (const problem of labelValue(value)) errors.push(field.invalid(there.index(i), value, problem));
  });
  return errors;
}

/** Of a node's fields only its name can be asked for, and for one name at a time. */
function validateField(requirement: DeepReadonly<NodeSelectorRequirement>, at: field.Path): field.ErrorList {
  const { key = '', operator = '', values = [] } = requirement;
  const errors: field.ErrorList = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length !== 1) {
      const why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
      errors.push(field.required(at.child('values'), why));
    }
  } else errors.push(field.invalid(at.child('operator'), operator, 'not a valid selector operator'));
  if (key !== 'metadata.name') errors.push(field.invalid(at.child('key'), key, 'not a valid field selector key'));
  else {
    values.forEach((value, i) => {
      for (const problem of dns1123Subdomain(value))
        errors.push(field.invalid(at.child('values').index(i), value, problem));
    });
  }
  return errors;
}

/** Warnings of terms that use labels which were renamed. */
export function nodeSelectorWarnings(selector: DeepReadonly<NodeSelector> | undefined, at: field.Path): string[] {
  return (selector?.nodeSelectorTerms ?? []).flatMap((term, i) =>
    (term.matchExpressions ?? []).flatMap(({ key }, j) => {
      const message = deprecatedNodeLabel(key);
      const place = at.child('nodeSelectorTerms').index(i).child('matchExpressions').index(j).child('key');
      return message ? [`${place}: ${key} is ${message}`] : [];
    }),
  );
}
