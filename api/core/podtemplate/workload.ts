/** What all workloads ask of their selector and of the template of their pods. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { type LabelSelector as Compiled, LabelSelectorError, labelSelectorOf } from '../../../libs/machinery/labels.ts';
import { sortedJson } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import type { PodTemplateSpec } from '../../types/core/v1.generated.ts';
import type { LabelSelector } from '../../types/meta/v1.generated.ts';
import { validatePodTemplate } from '../pod/validation/pod.ts';

export const MISMATCH = '`selector` does not match template `labels`';

/** The selector's errors, and the selector compiled; undefined where it cannot be, of which `problem` tells. */
export function validateSelector(
  selector: DeepReadonly<LabelSelector> | undefined,
  owner: string,
  at: field.Path,
  problem = 'invalid label selector',
): { readonly errors: field.ErrorList; readonly compiled: Compiled | undefined } {
  const errors: field.ErrorList = [];
  if (!selector) errors.push(field.required(at));
  else {
    errors.push(...validateLabelSelector(selector, at));
    const { matchLabels = {}, matchExpressions = [] } = selector;
    if (Object.keys(matchLabels).length + matchExpressions.length === 0) {
      errors.push(field.invalid(at, selector, `empty selector is invalid for ${owner}`));
    }
  }
  const compiled = compile(selector);
  if (!compiled) errors.push(field.invalid(at, selector, problem));
  return { errors, compiled };
}

export function compile(selector: DeepReadonly<LabelSelector> | undefined): Compiled | undefined {
  try {
    return labelSelectorOf(selector);
  } catch (error) {
    if (error instanceof LabelSelectorError) return undefined;
    throw error;
  }
}

/**
 * The template of a workload that selects by `compiled`; it is not looked at for as long as nobody knows what is selected.
 * `was`: that of the stored object. What still says the same was found right when that was written.
 */
export function validateSelectedTemplate(
  compiled: Compiled | undefined,
  template: DeepReadonly<PodTemplateSpec> | undefined,
  owner: string,
  at: field.Path,
  was?: DeepReadonly<PodTemplateSpec>,
): field.ErrorList {
  if (!compiled) return [];
  const errors = validateMatch(compiled, template, at);
  if (was === undefined || !sameValue(template, was)) errors.push(...validateLastingTemplate(template, owner, at));
  return errors;
}

/** The template's labels must be ones that the selector finds. */
export function validateMatch(
  compiled: Compiled | undefined,
  template: DeepReadonly<PodTemplateSpec> | undefined,
  at: field.Path,
): field.ErrorList {
  const labels = template?.metadata?.labels;
  if (!compiled || compiled.empty || compiled.matches(labels)) return [];
  return [field.invalid(at.child('metadata', 'labels'), field.verbatim(sortedJson(labels)), MISMATCH)];
}

/** Pods of a workload are started again whenever they end, for as long as the workload is there. */
export function validateLastingTemplate(
  template: DeepReadonly<PodTemplateSpec> | undefined,
  owner: string,
  at: field.Path,
): field.ErrorList {
  return [...validatePodTemplate(template ?? ({} as PodTemplateSpec), at), ...validateLasting(template, owner, at)];
}

export function validateLasting(
  template: DeepReadonly<PodTemplateSpec> | undefined,
  owner: string,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const policy = template?.spec?.restartPolicy;
  if (policy && policy !== 'Always') {
    errors.push(field.notSupported(at.child('spec', 'restartPolicy'), policy, ['Always']));
  }
  if (template?.spec?.activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${owner} is not Supported`;
    errors.push(field.forbidden(at.child('spec', 'activeDeadlineSeconds'), detail));
  }
  return errors;
}
