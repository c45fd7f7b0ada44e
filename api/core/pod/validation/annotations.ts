/** Annotations that say something of a pod: what must hold of their values, and how they may change. */

import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import type { Pod, PodSpec } from '../../../types/core/v1.generated.ts';
import { APP_ARMOR_PREFIX, profileOf } from '../prepare.ts';
import { isEmpty } from './absent.ts';
import { descendingPath } from './paths.ts';

const MIRROR = 'kubernetes.io/config.mirror';
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const LOCALHOST = 'localhost/';
const INT32_MIN = -2147483648;
const INT32_MAX = 2147483647;

type Annotations = Readonly<Record<string, string>>;
type Spec = DeepReadonly<PodSpec>;

/** Of a pod or of a template; `at`: where the annotations stand. `was`: those that were there, whose cost may stay wrong. */
export function validatePodAnnotations(
  annotations: Annotations,
  spec: Spec,
  at: field.Path,
  was: Annotations = {},
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (isEmpty(annotations)) return errors;
  const mirror = valueOf(annotations, MIRROR);
  if (mirror !== undefined && !spec.nodeName) {
    errors.push(field.invalid(at.key(MIRROR), mirror, 'must set spec.nodeName if mirror pod annotation is set'));
  }
  const cost = valueOf(annotations, DELETION_COST);
  const oldCost = valueOf(was, DELETION_COST);
  if (cost !== undefined && !isInt32(cost) && (oldCost === undefined || isInt32(oldCost))) {
    errors.push(field.invalid(at.key(DELETION_COST), cost, 'must be a 32bit integer'));
  }
  for (const [key, value] of Object.entries(annotations)) {
    if (key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER)) errors.push(...validateSeccomp(value, at.child(key)));
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

const valueOf = (annotations: Annotations, key: string): string | undefined =>
  Object.hasOwn(annotations, key) ? annotations[key] : undefined;

/** Decimal, and written in one way only: neither `+1` nor `01`. */
function isInt32(text: string): boolean {
  const value = Number(text);
  return /^(0|-?[1-9]\d*|-0+)$/.test(text) && value >= INT32_MIN && value <= INT32_MAX;
}

function validateSeccomp(profile: string, at: field.Path): field.ErrorList {
  if (profile.startsWith(LOCALHOST)) return descendingPath(profile.slice(LOCALHOST.length), at);
  return seccompTypeOf(profile) === undefined ? [field.invalid(at, profile, 'must be a valid seccomp profile')] : [];
}

/** Profiles may be said in fields and, as of old, in annotations; they must not say two things. */
export function validateProfilesAgree(annotations: Annotations, spec: Spec, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (isEmpty(annotations)) return errors;
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
  return annotation.startsWith(LOCALHOST) ? 'Localhost' : undefined;
}

/** What the node has already acted on stays: profiles of containers, and whose mirror a pod is. */
export function validatePodAnnotationsUpdate(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>): field.ErrorList {
  const at = field.path('metadata', 'annotations');
  const [now, was] = [pod.metadata?.annotations ?? {}, old.metadata?.annotations ?? {}];
  const what = (key: string) => {
    if (key.startsWith(APP_ARMOR_PREFIX)) return 'AppArmor annotations';
    return key === MIRROR ? 'mirror pod annotation' : undefined;
  };
  const refuse = (key: string, verb: string) => {
    const name = what(key);
    return name === undefined ? [] : [field.forbidden(at.key(key), `may not ${verb} ${name}`)];
  };
  return [
    ...Object.keys(was).flatMap((key) => (valueOf(now, key) === was[key] ? [] : refuse(key, 'remove or update'))),
    ...Object.keys(now).flatMap((key) => (Object.hasOwn(was, key) ? [] : refuse(key, 'add'))),
  ];
}
