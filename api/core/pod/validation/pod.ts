/** A whole pod: its spec, what annotations say of it, and what may not be there from the start; and templates of pods. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../../libs/machinery/names.ts';
import { validateMatchLabels } from '../../../meta/label-selector.ts';
import type { Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';
import { validatePodAnnotations, validateProfilesAgree } from './annotations.ts';
import { validatePodSpec } from './spec.ts';

type Seen = DeepReadonly<Pod>;

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

/** What holds of a pod at all times. */
export function validatePodAndAnnotations(pod: Seen): field.ErrorList {
  const at = field.path('spec');
  const annotations = pod.metadata?.annotations ?? {};
  return [
    ...validatePodAnnotations(annotations, pod.spec, field.path('metadata', 'annotations')),
    ...validatePodSpec(pod.spec, at, pod.metadata?.name),
    ...validateProfilesAgree(annotations, pod.spec, at),
  ];
}

/** A template: labels and annotations of pods to come, and their spec. */
export function validatePodTemplate(template: DeepReadonly<PodTemplateSpec>, at: field.Path): field.ErrorList {
  const { metadata, spec } = template;
  const errors = validateMatchLabels(metadata?.labels ?? {}, at.child('labels'));
  for (const key of Object.keys(metadata?.annotations ?? {})) {
    for (const text of qualifiedName(key.toLowerCase())) errors.push(field.invalid(at.child('annotations'), key, text));
  }
  const podSpec = spec ?? { containers: [] };
  const annotations = metadata?.annotations ?? {};
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
