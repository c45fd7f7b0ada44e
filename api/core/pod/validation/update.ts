/** What may change of a pod that is there: next to nothing, because its node may already run it. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { rangeText } from '../../../../libs/machinery/names.ts';
import { json } from '../../../../libs/machinery/quote.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { internalForm } from '../../../meta/internal-form.ts';
import { jsonDiff } from '../../../meta/line-diff.ts';
import type { Container, Pod, PodSpec, Toleration } from '../../../types/core/v1.generated.ts';
import { validatePodAnnotationsUpdate } from './annotations.ts';
import { validateImage } from './containers.ts';
import { internalPodSpec } from './internal-spec.ts';
import { validateOwnAnnotations, validateOwnSpec } from './pod.ts';
import { validateTolerations } from './scheduling.ts';

type Seen = DeepReadonly<Pod>;
type Spec = DeepReadonly<PodSpec>;

const CHANGEABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
];
const DEADLINE_MAX = 2147483647;
const at = field.path('spec');

export function validatePodUpdate(pod: Seen, old: Seen): field.ErrorList {
  // Upstream looks at what may change once more than at the rest: what is wrong with it is said twice.
  const annotations = validateOwnAnnotations(pod, old);
  const errors = [...annotations, ...validateOwnSpec(pod), ...validatePodAnnotationsUpdate(pod, old), ...annotations];
  for (const list of ['containers', 'initContainers'] as const) {
    if ((pod.spec[list] ?? []).length !== (old.spec[list] ?? []).length) {
      return [...errors, field.forbidden(at.child(list), 'pod updates may not add or remove containers')];
    }
    (pod.spec[list] ?? []).forEach(({ image }, i) => {
      errors.push(...validateImage(image ?? '', at.child(list).index(i).child('image')));
    });
  }
  const deadline = deadlineErrors(pod.spec, old.spec);
  if (deadline.length > 0 && pod.spec.activeDeadlineSeconds !== undefined) return [...errors, ...deadline];
  errors.push(
    ...deadline,
    ...tolerationErrors(pod.spec.tolerations ?? [], old.spec.tolerations ?? []),
    ...gateErrors(pod.spec, old.spec),
  );
  const gated = (old.spec.schedulingGates ?? []).length > 0;
  if (gated) errors.push(...gatedErrors(pod.spec, old.spec));
  const fixed = fixedPart(pod.spec, old.spec, gated);
  if (!sameValue(fixed, old.spec)) {
    const changes = jsonDiff(internalPodSpec(old.spec), internalPodSpec(fixed));
    errors.push(
      field.forbidden(at, `pod updates may not change fields other than ${CHANGEABLE.join(',')}\n${changes}`),
    );
  }
  return errors;
}

function deadlineErrors(spec: Spec, old: Spec): field.ErrorList {
  const here = at.child('activeDeadlineSeconds');
  const [now, was] = [spec.activeDeadlineSeconds, old.activeDeadlineSeconds];
  if (now !== undefined && (now < 0 || now > DEADLINE_MAX)) {
    return [field.invalid(here, now, rangeText(0, DEADLINE_MAX))];
  }
  if (was === undefined) return [];
  if (now === undefined) return [field.invalid(here, null, 'must not update from a positive integer to nil value')];
  return now > was ? [field.invalid(here, now, 'must be less than or equal to previous value')] : [];
}

function gateErrors({ schedulingGates = [] }: Spec, old: Spec): field.ErrorList {
  const known = (old.schedulingGates ?? []).map(({ name }) => name);
  return schedulingGates.flatMap(({ name }, i) => {
    if (known.includes(name)) return [];
    const detail = `only deletion is allowed, but found new scheduling gate '${name}'`;
    return [field.forbidden(at.child('schedulingGates').index(i).child('name'), detail)];
  });
}

/** Tolerations can be added, and given another time. */
function tolerationErrors(now: DeepReadonly<Toleration[]>, was: DeepReadonly<Toleration[]>): field.ErrorList {
  const timeless = (one: DeepReadonly<Toleration>) => ({ ...one, tolerationSeconds: undefined });
  const kept = was.every((one) => now.some((other) => sameValue(timeless(other), timeless(one))));
  if (kept) return validateTolerations(now, at.child('tolerations'));
  const detail = 'existing toleration can not be modified except its tolerationSeconds';
  return [field.forbidden(at.child('tolerations'), detail)];
}

/** While gates hold a pod back, its node selector and node affinity may become narrower. */
function gatedErrors(spec: Spec, old: Spec): field.ErrorList {
  const errors: field.ErrorList = [];
  const now = spec.nodeSelector ?? {};
  if (Object.entries(old.nodeSelector ?? {}).some(([key, value]) => now[key] !== value)) {
    errors.push(
      field.invalid(
        at.child('nodeSelector'),
        now,
        'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
      ),
    );
  }
  const was = old.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!was?.length) return errors;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms ?? [];
  const here = at.child(
    'affinity',
    'nodeAffinity',
    'requiredDuringSchedulingIgnoredDuringExecution',
    'nodeSelectorTerms',
  );
  if (terms.length !== was.length) {
    const detail = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed';
    return [...errors, field.invalid(here, field.verbatim(json(terms.map(shownTerm))), detail)];
  }
  terms.forEach((term, i) => {
    const lists = ['matchExpressions', 'matchFields'] as const;
    // A term that asks for nothing finds nothing: whatever is added would widen it.
    const wasEmpty = lists.every((list) => !was[i]?.[list]?.length);
    const kept = wasEmpty
      ? lists.every((list) => !term[list]?.length)
      : lists.every((list) => (was[i]?.[list] ?? []).every((one, k) => sameValue(one, term[list]?.[k])));
    if (kept) return;
    const detail = 'only additions are allowed (no mutations or deletions)';
    errors.push(field.invalid(here.index(i), field.verbatim(json(shownTerm(term))), detail));
  });
  return errors;
}

const shownTerm = (term: unknown) => internalForm('core.v1.NodeSelectorTerm', term);

/** The new spec with everything that may change put back: what differs then must not. */
function fixedPart(spec: Spec, old: Spec, gated: boolean): Spec {
  const putBack = (containers: DeepReadonly<Container[]> | undefined, was: DeepReadonly<Container[]> | undefined) =>
    containers?.map((container, i) => ({ ...container, image: was?.[i]?.image ?? '' }));
  const grace = Number(old.terminationGracePeriodSeconds ?? 0) < 0 && Number(spec.terminationGracePeriodSeconds) === 1;
  const nodeAffinity = gated ? { ...spec.affinity, nodeAffinity: old.affinity?.nodeAffinity } : spec.affinity;
  const affinity =
    gated && Object.values(nodeAffinity ?? {}).every((one) => one === undefined) ? undefined : nodeAffinity;
  return {
    ...spec,
    containers: putBack(spec.containers, old.containers) ?? [],
    ...(spec.initContainers ? { initContainers: putBack(spec.initContainers, old.initContainers) } : {}),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    tolerations: old.tolerations,
    ...(grace ? { terminationGracePeriodSeconds: old.terminationGracePeriodSeconds } : {}),
    ...(gated ? { nodeSelector: old.nodeSelector, affinity: affinity ?? old.affinity } : {}),
    schedulingGates: old.schedulingGates,
  } as Spec;
}
