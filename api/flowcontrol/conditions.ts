import * as field from '../../libs/machinery/field-errors.ts';

/** A status tells each type of condition once, and all of them have a type. */
export function validateConditions(conditions: readonly { readonly type?: string }[] | undefined): field.ErrorList {
  const seen = new Set<string>();
  return (conditions ?? []).flatMap(({ type = '' }, i) => {
    const at = field.path('status', 'conditions').index(i).child('type');
    const errors = seen.has(type) ? [field.duplicate(at, type)] : [];
    seen.add(type);
    return type === '' ? [...errors, field.required(at)] : errors;
  });
}
