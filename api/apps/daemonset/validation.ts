import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { compile, validateLastingTemplate, validateMatch } from '../../core/podtemplate/workload.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import { atMostAll, countOrPercent, isZero, notDecremented, notNegative } from '../../meta/numbers.ts';
import type { DaemonSet, DaemonSetUpdateStrategy } from '../../types/apps/v1.generated.ts';

type Seen = DeepReadonly<DaemonSet>;
const at = field.path('spec');

export function validateDaemonSet({ spec }: Seen): field.ErrorList {
  const { selector, template } = spec;
  const errors = [
    ...validateLabelSelector(selector, at.child('selector')),
    ...validateMatch(compile(selector), template, at.child('template')),
  ];
  if (selector && Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    errors.push(field.invalid(at.child('selector'), selector, 'empty selector is invalid for daemonset'));
  }
  return [
    ...errors,
    ...validateLastingTemplate(template, 'DaemonSet', at.child('template')),
    ...notNegative(spec.minReadySeconds, at.child('minReadySeconds')),
    ...validateStrategy(spec.updateStrategy ?? {}, at.child('updateStrategy')),
    ...notNegative(spec.revisionHistoryLimit, at.child('revisionHistoryLimit')),
  ];
}

function validateStrategy({ type, rollingUpdate }: DeepReadonly<DaemonSetUpdateStrategy>, here: field.Path) {
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate') {
    const { maxUnavailable: MaxUnavailable = 0, maxSurge: MaxSurge = 0 } = rollingUpdate ?? {};
    const shown = { Type: type ?? '', RollingUpdate: rollingUpdate ? { MaxUnavailable, MaxSurge } : null };
    return [field.notSupported(here, shown, ['RollingUpdate', 'OnDelete'])];
  }
  const rollingAt = here.child('rollingUpdate');
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
  const [unavailableAt, surgeAt] = [rollingAt.child('maxUnavailable'), rollingAt.child('maxSurge')];
  const errors: field.ErrorList = [];
  if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    errors.push(field.invalid(surgeAt, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  } else if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(field.required(unavailableAt, 'cannot be 0 when maxSurge is 0'));
  }
  return [
    ...errors,
    ...countOrPercent(maxUnavailable, unavailableAt),
    ...atMostAll(maxUnavailable, unavailableAt),
    ...countOrPercent(maxSurge, surgeAt),
    ...atMostAll(maxSurge, surgeAt),
  ];
}

export function validateDaemonSetUpdate(set: Seen, old: Seen): field.ErrorList {
  return [...validateImmutable(set.spec.selector, old.spec.selector, at.child('selector')), ...validateDaemonSet(set)];
}

export function validateDaemonSetStatus({ status }: Seen, old: Seen): field.ErrorList {
  const counts = [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ] as const;
  return [
    ...counts.flatMap((name) => notNegative(status?.[name], field.path('status', name))),
    ...notDecremented(status?.collisionCount, old.status?.collisionCount, field.path('status', 'collisionCount')),
  ];
}
