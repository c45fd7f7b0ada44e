import type { ConnectSubresource } from '../../../libs/kind/kind.ts';
import { methodNotAllowed, serviceUnavailable, unknownPath } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import { admissionRequest, runValidate } from './engine.ts';
import type { ResourceRequest } from './verbs.ts';

/** exec, attach, log, port-forward, proxy: asks the kind where to, admission whether, and hands the request on. */
export async function connect(r: ResourceRequest, subresource: ConnectSubresource): Promise<ApiResponse> {
  if (r.route.rest !== '' && !subresource.takesPath) throw unknownPath();
  if (!subresource.verbs.includes(r.route.attributes.verb)) throw methodNotAllowed();
  const query = new Map<string, string[]>();
  for (const [key, value] of r.query) query.set(key, [...(query.get(key) ?? []), value]);
  const target = await subresource.locate(r.ctx, r.engine.registry, { query, path: r.route.rest });
  const { gvk } = subresource;
  const options = { kind: gvk.kind, apiVersion: gvk.group ? `${gvk.group}/${gvk.version}` : gvk.version };
  await runValidate(
    r.engine,
    r.ctx,
    admissionRequest('CONNECT', r.target, r.subresource, undefined, undefined, options),
  );
  const { connector } = r.engine;
  if (!connector) throw serviceUnavailable('this API server was started without a way to reach nodes');
  return connector.connect(r.ctx, r.request, target);
}
