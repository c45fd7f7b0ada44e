import { formatTime } from '../../libs/base/clock.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../libs/machinery/names.ts';
import type { Condition } from '../types/meta/v1.generated.ts';

const STATUSES = ['False', 'True', 'Unknown'];
const REASON = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const REASON_FORM = new RegExp(`^${REASON}$`);
const REASON_BYTES_MAX = 1024;
const MESSAGE_BYTES_MAX = 32768;

type Told = { readonly type: string; readonly status: string; readonly lastTransitionTime?: string | null };

/**
 * The conditions with one put in: in its old place, so that a list that says the same is the same. The time of its
 * transition moves with its status alone.
 */
export function withCondition<C extends Told>(
  conditions: readonly C[],
  told: Omit<C, 'lastTransitionTime'>,
  nowMs: number,
): readonly C[] {
  const known = conditions.find(({ type }) => type === told.type);
  const lastTransitionTime = known?.status === told.status ? known.lastTransitionTime : formatTime(nowMs);
  const condition = { ...told, lastTransitionTime } as C;
  return known ? conditions.map((one) => (one === known ? condition : one)) : [...conditions, condition];
}

/** Conditions of the common form (`meta.v1.Condition`): each type once, each with a reason. */
export function validateConditions(conditions: DeepReadonly<Condition[]> | undefined, at: field.Path): field.ErrorList {
  const types = new Set<string>();
  return (conditions ?? []).flatMap((condition, i) => {
    const here = at.index(i);
    const { type = '', status = '', reason = '', message = '', lastTransitionTime, observedGeneration } = condition;
    const errors: field.ErrorList = [];
    if (types.has(type)) errors.push(field.duplicate(here.child('type'), type));
    types.add(type);
    for (const text of qualifiedName(type)) errors.push(field.invalid(here.child('type'), type, text));
    if (!STATUSES.includes(status)) errors.push(field.notSupported(here.child('status'), status, STATUSES));
    if (observedGeneration !== undefined && observedGeneration < 0) {
      const detail = 'must be greater than or equal to zero';
      errors.push(field.invalid(here.child('observedGeneration'), observedGeneration, detail));
    }
    if (!lastTransitionTime) errors.push(field.required(here.child('lastTransitionTime')));
    if (reason === '') errors.push(field.required(here.child('reason')));
    else {
      if (!REASON_FORM.test(reason)) {
        const detail =
          'a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric ' +
          `characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or ` +
          `'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${REASON}')`;
        errors.push(field.invalid(here.child('reason'), reason, detail));
      }
      if (reason.length > REASON_BYTES_MAX) errors.push(field.tooLong(here.child('reason'), REASON_BYTES_MAX));
    }
    if (message.length > MESSAGE_BYTES_MAX) errors.push(field.tooLong(here.child('message'), MESSAGE_BYTES_MAX));
    return errors;
  });
}
