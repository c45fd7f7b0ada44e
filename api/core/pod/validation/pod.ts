/** A whole pod: its spec, what annotations say of it, and what may not be there from the start. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../../libs/machinery/names.ts';
import { validateMatchLabels } from '../../../meta/label-selector.ts';
import type { Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';
import { APP_ARMOR_PREFIX, profileOf } from '../prepare.ts';
import { validatePodSpec } from './spec.ts';

const MIRROR = 'kubernetes.io/config.mirror';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';

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
  return [...validateAnnotations(pod), ...validatePodSpec(pod.spec, field.path('spec')), ...validateProfilesAgree(pod)];
}

function validateAnnotations({ metadata, spec }: Seen): field.ErrorList {
  const at = field.path('metadata', 'annotations');
  const annotations = metadata?.annotations ?? {};
  const errors: field.ErrorList = [];
  if (Object.hasOwn(annotations, MIRROR) && !spec.nodeName) {
    const detail = 'must set spec.nodeName if mirror pod annotation is set';
    errors.push(field.invalid(at.key(MIRROR), annotations[MIRROR], detail));
  }
  const names = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name));
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(APP_ARMOR_PREFIX)) continue;
    const container = key.slice(APP_ARMOR_PREFIX.length);
    if (!names.has(container)) errors.push(field.invalid(at.key(key), container, 'container not found'));
    if (value !== '' && profileOf(value) === undefined) {
      errors.push(field.invalid(at.key(key), value, `invalid AppArmor profile name: "${value}"`));
    }
  }
  return errors;
}

/** Profiles may be said in fields and, as of old, in annotations; they must not say two things. */
function validateProfilesAgree({ metadata, spec }: Seen): field.ErrorList {
  const annotations = metadata?.annotations ?? {};
  const errors: field.ErrorList = [];
  const at = field.path('spec');
  const seccomp = (text: string | undefined, type: string | undefined, place: field.Path) => {
    const said = text === undefined ? undefined : seccompTypeOf(text);
    if (said === undefined || type === undefined || said === type) return;
    const detail = 'seccomp type in annotation and field must match';
    errors.push(field.forbidden(place.child('securityContext', 'seccompProfile', 'type'), detail));
  };
  seccomp(annotations[SECCOMP_POD], spec.securityContext?.seccompProfile?.type, at);
  for (const list of ['initContainers', 'containers'] as const) {
    (spec[list] ?? []).forEach((container, i) => {
      const place = at.child(list).index(i);
      seccomp(annotations[SECCOMP_CONTAINER + container.name], container.securityContext?.seccompProfile?.type, place);
      const said = profileOf(annotations[APP_ARMOR_PREFIX + container.name] ?? '');
      const profile = container.securityContext?.appArmorProfile;
      if (!said || !profile) return;
      const profileAt = place.child('securityContext', 'appArmorProfile');
      if (said.type !== profile.type) {
        errors.push(field.forbidden(profileAt.child('type'), 'apparmor type in annotation and field must match'));
      } else if (said.localhostProfile !== profile.localhostProfile) {
        const detail = 'apparmor profile in annotation and field must match';
        errors.push(field.forbidden(profileAt.child('localhostProfile'), detail));
      }
    });
  }
  return errors;
}

function seccompTypeOf(annotation: string): string | undefined {
  if (annotation === 'runtime/default' || annotation === 'docker/default') return 'RuntimeDefault';
  if (annotation === 'unconfined') return 'Unconfined';
  return annotation.startsWith('localhost/') ? 'Localhost' : undefined;
}

/** A template: labels and annotations of pods to come, and their spec. */
export function validatePodTemplate(template: DeepReadonly<PodTemplateSpec>, at: field.Path): field.ErrorList {
  const { metadata, spec } = template;
  const errors = validateMatchLabels(metadata?.labels ?? {}, at.child('labels'));
  for (const key of Object.keys(metadata?.annotations ?? {})) {
    for (const text of qualifiedName(key.toLowerCase())) errors.push(field.invalid(at.child('annotations'), key, text));
  }
  errors.push(...validatePodSpec(spec ?? { containers: [] }, at.child('spec')));
  if ((spec?.ephemeralContainers ?? []).length > 0) {
    const detail = 'ephemeral containers not allowed in pod template';
    errors.push(field.forbidden(at.child('spec', 'ephemeralContainers'), detail));
  }
  return errors;
}
