import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { selectorOfLabels } from '../../../libs/machinery/labels.ts';
import { validateReplicaCounts } from '../../apps/replicaset/validation.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { ReplicationController } from '../../types/core/v1.generated.ts';
import { validateLastingTemplate, validateMatch } from '../podtemplate/workload.ts';

type Seen = DeepReadonly<ReplicationController>;
const at = field.path('spec');

export function validateReplicationController({ spec }: Seen): field.ErrorList {
  const errors = notNegative(spec.minReadySeconds, at.child('minReadySeconds'));
  const selector = spec.selector ?? {};
  if (Object.keys(selector).length === 0) errors.push(field.required(at.child('selector')));
  errors.push(...notNegative(spec.replicas, at.child('replicas')));
  const here = at.child('template');
  if (!spec.template) return [...errors, field.required(here)];
  return [
    ...errors,
    ...validateMatch(selectorOfLabels(selector), spec.template, here),
    ...validateLastingTemplate(spec.template, 'ReplicationController', here),
  ];
}

export function validateReplicationControllerStatus({ status }: Seen): field.ErrorList {
  return validateReplicaCounts(status ?? {}, field.path('status'));
}
