import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateSelectedTemplate, validateSelector } from '../../core/podtemplate/workload.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { ReplicaSet } from '../../types/apps/v1.generated.ts';

type Seen = DeepReadonly<ReplicaSet>;
const at = field.path('spec');

export function validateReplicaSet({ spec }: Seen): field.ErrorList {
  return validateSpec(spec);
}

function validateSpec(spec: Seen['spec'], was?: Seen['spec']): field.ErrorList {
  const { errors, compiled } = validateSelector(spec.selector, 'deployment', at.child('selector'));
  return [
    ...notNegative(spec.replicas, at.child('replicas')),
    ...notNegative(spec.minReadySeconds, at.child('minReadySeconds')),
    ...errors,
    ...validateSelectedTemplate(compiled, spec.template, 'ReplicaSet', at.child('template'), was?.template),
  ];
}

export function validateReplicaSetUpdate(set: Seen, old: Seen): field.ErrorList {
  return [
    ...validateSpec(set.spec, old.spec),
    ...validateImmutable(set.spec.selector, old.spec.selector, at.child('selector')),
  ];
}

/** Of what a ReplicaSet or ReplicationController reports. */
export interface ReplicaCounts {
  readonly replicas?: number;
  readonly fullyLabeledReplicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly terminatingReplicas?: number;
  readonly observedGeneration?: number | bigint;
}

export function validateReplicaCounts(status: ReplicaCounts, here: field.Path): field.ErrorList {
  const counts = ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const;
  const errors = [
    ...counts.flatMap((name) => notNegative(status[name], here.child(name))),
    ...notNegative(status.terminatingReplicas, here.child('terminatingReplicas')),
    ...notNegative(status.observedGeneration, here.child('observedGeneration')),
  ];
  const replicas = status.replicas ?? 0;
  for (const name of counts.slice(1)) {
    if ((status[name] ?? 0) > replicas) {
      errors.push(field.invalid(here.child(name), status[name] ?? 0, 'cannot be greater than status.replicas'));
    }
  }
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
    const detail = 'cannot be greater than readyReplicas';
    errors.push(field.invalid(here.child('availableReplicas'), status.availableReplicas, detail));
  }
  return errors;
}
