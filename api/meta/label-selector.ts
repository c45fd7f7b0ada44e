import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { labelValue, qualifiedName } from '../../libs/machinery/names.ts';
import type { LabelSelector, LabelSelectorRequirement } from '../types/meta/v1.generated.ts';

export interface SelectorRules {
  /** Objects that were stored before values were checked keep them. */
  readonly allowInvalidValues?: boolean;
}

/** Errors of a `LabelSelector`; an absent one has none. */
export function validateLabelSelector(
  selector: DeepReadonly<LabelSelector> | null | undefined,
  at: field.Path,
  rules: SelectorRules = {},
): field.ErrorList {
  if (!selector) return [];
  return [
    ...validateMatchLabels(selector.matchLabels ?? {}, at.child('matchLabels')),
    ...(selector.matchExpressions ?? []).flatMap((requirement, i) =>
      validateRequirement(requirement, at.child('matchExpressions').index(i), rules),
    ),
  ];
}

/** Labels wherever they stand: keys are qualified names, values label values. */
export function validateMatchLabels(labels: Readonly<Record<string, string>>, at: field.Path): field.ErrorList {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedName(key).map((problem) => field.invalid(at, key, problem)),
    ...labelValue(value).map((problem) => field.invalid(at, value, problem)),
  ]);
}

function validateRequirement(
  { key, operator, values }: DeepReadonly<LabelSelectorRequirement>,
  at: field.Path,
  rules: SelectorRules,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const count = values?.length ?? 0;
  if (operator === 'In' || operator === 'NotIn') {
    if (count === 0) {
      errors.push(field.required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (count > 0) {
      const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      errors.push(field.forbidden(at.child('values'), why));
    }
  } else errors.push(field.invalid(at.child('operator'), operator ?? '', 'not a valid selector operator'));
  for (const problem of qualifiedName(key ?? '')) errors.push(field.invalid(at.child('key'), key ?? '', problem));
  if (rules.allowInvalidValues) return errors;
  (values ?? []).forEach((value, i) => {
    for (const problem of labelValue(value)) errors.push(field.invalid(at.child('values').index(i), value, problem));
  });
  return errors;
}
