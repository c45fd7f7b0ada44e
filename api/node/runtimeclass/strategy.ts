import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label } from '../../../libs/machinery/names.ts';
import { deprecatedNodeLabel } from '../../core/node/deprecated-labels.ts';
import { validateRequirements } from '../../core/pod/validation/resources.ts';
import { validateTolerations } from '../../core/pod/validation/scheduling.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { validateMatchLabels } from '../../meta/label-selector.ts';
import type { RuntimeClass } from '../../types/node/v1.generated.ts';

export const strategy: Strategy<RuntimeClass> = {
  allowCreateOnUpdate: true,
  validate: validateRuntimeClass,
  validateUpdate: (draft, old) => [
    ...validateRuntimeClass(draft),
    ...validateImmutable(draft.handler, old.handler, 'handler'),
  ],
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
      const message = deprecatedNodeLabel(key);
      return message ? [`scheduling.nodeSelector: ${message}`] : [];
    }),
};

function validateRuntimeClass({ handler = '', overhead, scheduling }: DeepReadonly<RuntimeClass>): field.ErrorList {
  const errors: field.ErrorList = [];
  if (handler === '') errors.push(field.required('handler'));
  else for (const problem of dns1123Label(handler)) errors.push(field.invalid('handler', handler, problem));
  if (overhead) errors.push(...validateRequirements({ limits: overhead.podFixed ?? {} }, [], field.path('overhead')));
  if (!scheduling) return errors;
  const at = field.path('scheduling');
  errors.push(...validateMatchLabels(scheduling.nodeSelector ?? {}, at.child('nodeSelector')));
  return [...errors, ...validateTolerations(scheduling.tolerations ?? [], at.child('tolerations'))];
}
