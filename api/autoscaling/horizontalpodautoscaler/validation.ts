import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { parseApiVersion } from '../../../libs/machinery/gvk.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import { notNegative } from '../../meta/numbers.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
} from '../../types/autoscaling/v2.generated.ts';
import { validateMetrics } from './metrics-validation.ts';

type Seen = DeepReadonly<HorizontalPodAutoscaler>;

const WINDOW_SECONDS_MAX = 3600;
const PERIOD_SECONDS_MAX = 1800;
const SELECT_POLICIES = ['Disabled', 'Max', 'Min'];
const POLICY_TYPES = ['Percent', 'Pods'];
const at = field.path('spec');

export function validateHorizontalPodAutoscaler({ spec }: Seen): field.ErrorList {
  const { minReplicas, maxReplicas = 0, metrics = [], scaleTargetRef, behavior } = spec;
  const errors: field.ErrorList = [];
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.push(field.invalid(at.child('minReplicas'), minReplicas, 'must be greater than or equal to 1'));
  }
  const maxAt = at.child('maxReplicas');
  if (maxReplicas === 0) errors.push(field.required(maxAt, 'must be set and greater than 0'));
  else if (maxReplicas < 1) errors.push(field.invalid(maxAt, maxReplicas, 'must be greater than or equal to 1'));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.push(field.invalid(maxAt, maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  errors.push(...validateReference(scaleTargetRef, at.child('scaleTargetRef'), true));
  errors.push(...validateMetrics(metrics, at.child('metrics')));
  // To come back from nothing, something other than the pods must be measured.
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External')) {
    const detail = 'must specify at least one Object or External metric to support scaling to zero replicas';
    errors.push(field.forbidden(at.child('metrics'), detail));
  }
  return [...errors, ...validateBehavior(behavior, at.child('behavior'))];
}

export function validateReference(
  reference: DeepReadonly<CrossVersionObjectReference> | undefined,
  here: field.Path,
  needsGroup = false,
): field.ErrorList {
  const { kind = '', name = '', apiVersion = '' } = reference ?? {};
  const errors: field.ErrorList = [];
  for (const [part, text] of Object.entries({ kind, name })) {
    if (text === '') errors.push(field.required(here.child(part)));
    else for (const problem of pathSegmentName(text)) errors.push(field.invalid(here.child(part), text, problem));
  }
  if (needsGroup) errors.push(...validateGroup(kind, apiVersion, here.child('apiVersion')));
  return errors;
}

/** Of the core group only controllers can be scaled: most who leave the group out have forgotten it. */
function validateGroup(kind: string, apiVersion: string, here: field.Path): field.ErrorList {
  let group = '';
  try {
    group = parseApiVersion(apiVersion).group;
  } catch (error) {
    return [field.invalid(here, apiVersion, error instanceof Error ? error.message : String(error))];
  }
  if (group !== '' || kind === 'ReplicationController') return [];
  return [field.invalid(here, apiVersion, 'apiVersion must specify API group')];
}

function validateBehavior(
  behavior: DeepReadonly<HorizontalPodAutoscalerBehavior> | undefined,
  here: field.Path,
): field.ErrorList {
  return (['scaleUp', 'scaleDown'] as const).flatMap((name) => {
    const rules = behavior?.[name];
    return rules ? validateRules(rules, here.child(name)) : [];
  });
}

function validateRules(rules: DeepReadonly<HPAScalingRules>, here: field.Path): field.ErrorList {
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [] } = rules;
  const errors: field.ErrorList = [];
  const windowAt = here.child('stabilizationWindowSeconds');
  if (window !== undefined && window < 0) {
    errors.push(field.invalid(windowAt, window, 'must be greater than or equal to zero'));
  }
  if (window !== undefined && window > WINDOW_SECONDS_MAX) {
    errors.push(field.invalid(windowAt, window, `must be less than or equal to ${WINDOW_SECONDS_MAX}`));
  }
  if (selectPolicy !== undefined && !SELECT_POLICIES.includes(selectPolicy)) {
    errors.push(field.notSupported(here.child('selectPolicy'), selectPolicy, SELECT_POLICIES));
  }
  const policiesAt = here.child('policies');
  if (policies.length === 0) errors.push(field.required(policiesAt, 'must specify at least one Policy'));
  policies.forEach(({ type, value, periodSeconds }, i) => {
    const place = policiesAt.index(i);
    if (!POLICY_TYPES.includes(type)) errors.push(field.notSupported(place.child('type'), type ?? '', POLICY_TYPES));
    if (!(value > 0)) errors.push(field.invalid(place.child('value'), value ?? 0, 'must be greater than zero'));
    const periodAt = place.child('periodSeconds');
    if (!(periodSeconds > 0)) errors.push(field.invalid(periodAt, periodSeconds ?? 0, 'must be greater than zero'));
    if (periodSeconds > PERIOD_SECONDS_MAX) {
      errors.push(field.invalid(periodAt, periodSeconds, `must be less than or equal to ${PERIOD_SECONDS_MAX}`));
    }
  });
  return errors;
}

export function validateHorizontalPodAutoscalerStatus({ status }: Seen): field.ErrorList {
  return (['currentReplicas', 'desiredReplicas'] as const).flatMap((name) =>
    notNegative(status?.[name], field.path('status', name)),
  );
}
