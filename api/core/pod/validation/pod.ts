/** A whole pod: its spec, what annotations say of it, and what may not be there from the start; and templates of pods. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import { validateAnnotations } from '../../../../libs/machinery/annotations.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { validateMatchLabels } from '../../../meta/label-selector.ts';
import type { Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';
import { validatePodAnnotations, validateProfilesAgree } from './annotations.ts';
import { validatePodSpec } from './spec.ts';

type Seen = DeepReadonly<Pod>;

const SPEC = field.path('spec');
const ANNOTATIONS = field.path('metadata', 'annotations');

export function validatePod(pod: Seen): field.ErrorList {
  const errors = validatePodAndAnnotations(pod);
  const at = field.path('spec');
  if ((pod.spec.ephemeralContainers ?? []).length > 0) {
    errors.push(field.forbidden(at.child('ephemeralContainers'), 'cannot be set on create'));
  }
  if (pod.spec.nodeName && (pod.spec.schedulingGates ?? []).length > 0) {
    errors.push(field.forbidden(at.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'));
  }
  return errors;
}

/** What holds of a pod at all times; `old`: what it was. */
export const validatePodAndAnnotations = (pod: Seen, old?: Seen): field.ErrorList =>
  field.together(validateOwnAnnotations(pod, old), validateOwnSpec(pod));

export const validateOwnAnnotations = ({ metadata, spec }: Seen, old?: Seen): field.ErrorList =>
  validatePodAnnotations(metadata?.annotations ?? {}, spec, ANNOTATIONS, old?.metadata?.annotations);

export const validateOwnSpec = ({ metadata, spec }: Seen): field.ErrorList =>
  field.together(
    validatePodSpec(spec, SPEC, metadata?.name),
    validateProfilesAgree(metadata?.annotations ?? {}, spec, SPEC),
  );

/** A template: labels and annotations of pods to come, and their spec. */
export function validatePodTemplate(template: DeepReadonly<PodTemplateSpec>, at: field.Path): field.ErrorList {
  const { metadata, spec } = template;
  const podSpec = spec ?? { containers: [] };
  const annotations = metadata?.annotations ?? {};
  const errors = validateMatchLabels(metadata?.labels ?? {}, at.child('labels'));
  errors.push(...validateAnnotations(annotations, at.child('annotations')));
  errors.push(
    ...validatePodAnnotations(annotations, podSpec, at.child('annotations')),
    ...validatePodSpec(podSpec, at.child('spec')),
    ...validateProfilesAgree(annotations, podSpec, at.child('spec')),
  );
  if ((spec?.ephemeralContainers ?? []).length > 0) {
    const detail = 'ephemeral containers not allowed in pod template';
    errors.push(field.forbidden(at.child('spec', 'ephemeralContainers'), detail));
  }
  return errors;
}
