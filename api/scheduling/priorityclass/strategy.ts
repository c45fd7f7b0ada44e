import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import type { PriorityClass } from '../../types/scheduling/v1.generated.ts';

export const HIGHEST_USER_PRIORITY = 1_000_000_000;
const POLICIES = ['Never', 'PreemptLowerPriority'];

/** The classes of the system itself, whose names and numbers nobody else may use. */
export const SYSTEM_CLASSES: Readonly<Record<string, number>> = Object.freeze({
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
});

export const strategy: Strategy<PriorityClass> = {
  generation: 'count',
  // What may change does not count: a class is the same for the pods that have it.
  generationChanged: () => false,
  defaults(draft) {
    draft.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate: validatePriorityClass,
  validateUpdate(draft, old) {
    const errors: field.ErrorList = [];
    if ((draft.value ?? 0) !== (old.value ?? 0))
      errors.push(field.forbidden('value', 'may not be changed in an update.'));
    return [...errors, ...validateImmutable(draft.preemptionPolicy, old.preemptionPolicy, 'preemptionPolicy')];
  },
};

function validatePriorityClass(draft: DeepReadonly<PriorityClass>): field.ErrorList {
  const errors: field.ErrorList = [];
  const { value = 0, preemptionPolicy } = draft;
  const name = draft.metadata?.name ?? '';
  if (name.startsWith('system-')) {
    const problem = systemClassProblem(draft, name);
    if (problem) {
      const why = `priority class names with 'system-' prefix are reserved for system use only. error: ${problem}`;
      errors.push(field.forbidden('metadata.name', why));
    }
  } else if (value > HIGHEST_USER_PRIORITY) {
    errors.push(
      field.forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`),
    );
  }
  if (preemptionPolicy !== undefined && !POLICIES.includes(preemptionPolicy)) {
    errors.push(field.notSupported('preemptionPolicy', preemptionPolicy, POLICIES));
  }
  return errors;
}

function systemClassProblem(draft: DeepReadonly<PriorityClass>, name: string): string | undefined {
  const value = Object.hasOwn(SYSTEM_CLASSES, name) ? SYSTEM_CLASSES[name] : undefined;
  if (value === undefined) return `${name} is not a known system priority class`;
  if (value !== draft.value) return `value of ${name} PriorityClass must be ${value}`;
  if (draft.globalDefault) return `globalDefault of ${name} PriorityClass must be false`;
  return undefined;
}
