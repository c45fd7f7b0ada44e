import type { RequestContext } from '../../../libs/kind/request.ts';
import { type ApiError, forbidden } from '../../../libs/machinery/errors.ts';

/** 403 in the words that kubectl shows: who cannot do what, where. */
export function forbiddenTo(ctx: Pick<RequestContext, 'user' | 'attributes'>, reason: string): ApiError {
  const { attributes: a, user } = ctx;
  const why = reason === '' ? '' : `: ${reason}`;
  if (!a.isResourceRequest) {
    return forbidden({ group: '', resource: '' }, '', `User "${user.name}" cannot ${a.verb} path "${a.path}"${why}`);
  }
  const resource = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
  const where = a.namespace === '' ? 'at the cluster scope' : `in the namespace "${a.namespace}"`;
  return forbidden(
    { group: a.group, resource: a.resource },
    a.name,
    `User "${user.name}" cannot ${a.verb} resource "${resource}" in API group "${a.group}" ${where}${why}`,
  );
}
