import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import type { Namespace } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Namespace>;

const FINALIZERS = field.path('spec', 'finalizers');
const STANDARD = ['kubernetes', 'foregroundDeletion', 'orphan'];
const UNQUALIFIED = 'name is neither a standard finalizer name nor is it fully qualified';

/** The finalizers of the namespace's own: qualified, or one of the standard ones. */
export const validateNamespace = (namespace: Seen): field.ErrorList => validateFinalizers(namespace, () => FINALIZERS);

/** The same through `finalize`, where errors say which of them it is. */
export const validateNamespaceFinalize = (namespace: Seen): field.ErrorList =>
  validateFinalizers(namespace, (i) => FINALIZERS.index(i));

function validateFinalizers({ spec }: Seen, place: (i: number) => field.Path): field.ErrorList {
  return (spec?.finalizers ?? []).flatMap((name, i) => {
    const at = place(i);
    const errors = qualifiedName(name).map((text) => field.invalid(at, name, text));
    if (!name.includes('/') && !STANDARD.includes(name)) errors.push(field.invalid(at, name, UNQUALIFIED));
    return errors;
  });
}

/** A namespace is terminating if and only if it is being deleted. */
export function validateNamespaceStatus({ metadata, status }: Seen): field.ErrorList {
  const phase = status?.phase ?? '';
  const at = field.path('status', 'Phase');
  if (!metadata?.deletionTimestamp) {
    if (phase === 'Active') return [];
    return [field.invalid(at, phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  if (phase === 'Terminating') return [];
  return [field.invalid(at, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}
