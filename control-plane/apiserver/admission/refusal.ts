import type { DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import { type ApiError, forbidden } from '../../../libs/machinery/errors.ts';

/**
 * 403 in the name of an admission plugin. Where the request has no name the object's is told, or what its name will be
 * made of; of objects that go with their collection the name is not known.
 */
export function refused(request: Pick<DeepReadonlyAdmission, 'kind' | 'name' | 'object'>, why: string): ApiError {
  return forbidden(request.kind, nameOf(request), why);
}

function nameOf({ name, object }: Pick<DeepReadonlyAdmission, 'name' | 'object'>): string {
  if (name !== '') return name;
  return object?.metadata?.name || object?.metadata?.generateName || 'Unknown';
}
