import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateSelectedTemplate, validateSelector } from '../../core/podtemplate/workload.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { atMostAll, countOrPercent, isZero, notDecremented, notNegative } from '../../meta/numbers.ts';
import type { Deployment, DeploymentStatus, DeploymentStrategy } from '../../types/apps/v1.generated.ts';

type Seen = DeepReadonly<Deployment>;
const at = field.path('spec');

export function validateDeployment({ spec }: Seen): field.ErrorList {
  return validateSpec(spec);
}

function validateSpec(spec: Seen['spec'], was?: Seen['spec']): field.ErrorList {
  const { errors, compiled } = validateSelector(spec.selector, 'deployment', at.child('selector'));
  const template = at.child('template');
  const deadline = spec.progressDeadlineSeconds;
  const result = [
    ...notNegative(spec.replicas, at.child('replicas')),
    ...errors,
    ...validateSelectedTemplate(compiled, spec.template, 'ReplicaSet', template, was?.template),
    ...validateStrategy(spec.strategy ?? {}, at.child('strategy')),
    ...notNegative(spec.minReadySeconds, at.child('minReadySeconds')),
    ...notNegative(spec.revisionHistoryLimit, at.child('revisionHistoryLimit')),
    ...notNegative(deadline, at.child('progressDeadlineSeconds')),
  ];
  if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
    result.push(field.invalid(at.child('progressDeadlineSeconds'), deadline, 'must be greater than minReadySeconds'));
  }
  return result;
}

function validateStrategy(strategy: DeepReadonly<DeploymentStrategy>, here: field.Path): field.ErrorList {
  const { type, rollingUpdate } = strategy;
  const rollingAt = here.child('rollingUpdate');
  if (type === 'Recreate') {
    return rollingUpdate ? [field.forbidden(rollingAt, "may not be specified when strategy `type` is 'Recreate'")] : [];
  }
  if (type !== 'RollingUpdate') {
    const { maxUnavailable: MaxUnavailable = 0, maxSurge: MaxSurge = 0 } = rollingUpdate ?? {};
    const shown = { Type: type ?? '', RollingUpdate: rollingUpdate ? { MaxUnavailable, MaxSurge } : null };
    return [field.notSupported(here, shown, ['Recreate', 'RollingUpdate'])];
  }
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {};
  const unavailableAt = rollingAt.child('maxUnavailable');
  const errors = [
    ...countOrPercent(maxUnavailable, unavailableAt),
    ...countOrPercent(maxSurge, rollingAt.child('maxSurge')),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(field.invalid(unavailableAt, maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0'));
  }
  return [...errors, ...atMostAll(maxUnavailable, unavailableAt)];
}

export function validateDeploymentUpdate(deployment: Seen, old: Seen): field.ErrorList {
  return [
    ...validateSpec(deployment.spec, old.spec),
    ...validateImmutable(deployment.spec.selector, old.spec.selector, at.child('selector')),
  ];
}

export function validateDeploymentStatus({ status = {} }: Seen, old: Seen): field.ErrorList {
  const here = field.path('status');
  const counts = ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas'] as const;
  return [
    ...notNegative(status.observedGeneration, here.child('observedGeneration')),
    ...counts.flatMap((name) => notNegative(status[name], here.child(name))),
    ...notNegative(status.terminatingReplicas, here.child('terminatingReplicas')),
    ...notNegative(status.collisionCount, here.child('collisionCount')),
    ...validateOrder(status, here),
    ...notDecremented(status.collisionCount, old.status?.collisionCount, here.child('collisionCount')),
  ];
}

const OVER_REPLICAS = 'cannot be greater than status.replicas';

function validateOrder(status: DeepReadonly<DeploymentStatus>, here: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const over = (name: 'updatedReplicas' | 'readyReplicas' | 'availableReplicas', most: number, detail: string) => {
    if ((status[name] ?? 0) > most) errors.push(field.invalid(here.child(name), status[name] ?? 0, detail));
  };
  const replicas = status.replicas ?? 0;
  over('updatedReplicas', replicas, OVER_REPLICAS);
  over('readyReplicas', replicas, OVER_REPLICAS);
  over('availableReplicas', replicas, OVER_REPLICAS);
  over('availableReplicas', status.readyReplicas ?? 0, 'cannot be greater than readyReplicas');
  return errors;
}
