import type { ConnectSubresource } from '../../../libs/kind/kind.ts';
import { methodNotAllowed, serviceUnavailable, unknownPath } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import { admissionRequest, runAdmit, runValidate } from './engine.ts';
import type { ResourceRequest } from './verbs.ts';

const NOTHING_YET: ApiResponse = Object.freeze<ApiResponse>({
  code: 204,
  headers: {},
  warnings: [],
  body: { form: 'whole', contentType: '', bytes: () => [], value: () => undefined },
});

/** exec, attach, log, port-forward, proxy: asks the kind where to, admission whether, and hands the request on. */
export async function connect(r: ResourceRequest, subresource: ConnectSubresource): Promise<ApiResponse> {
  if (r.route.rest !== '' && !subresource.takesPath) throw unknownPath();
  const { attributes, rest } = r.route;
  // OPTIONS is no verb of the API, but whoever is behind a proxy may know it.
  const passedOn = subresource.takesPath && r.request.method === 'OPTIONS';
  if (!passedOn && !subresource.verbs.includes(attributes.verb)) throw methodNotAllowed();
  const query = new Map<string, string[]>();
  for (const [key, value] of r.query) query.set(key, [...(query.get(key) ?? []), value]);
  const { gvk, optionsType } = subresource;
  const options = {
    kind: gvk.kind,
    apiVersion: gvk.group ? `${gvk.group}/${gvk.version}` : gvk.version,
    ...optionsOf(r, optionsType, query),
  };
  const body = { gvk, type: optionsType };
  const request = admissionRequest('CONNECT', r.target, r.subresource, options, undefined, undefined, body);
  await runAdmit(r.engine, r.ctx, request);
  await runValidate(r.engine, r.ctx, request);
  const target = await subresource.locate(r.ctx, r.engine.registry, { query, queryText: r.request.query, path: rest });
  if (!target) return NOTHING_YET;
  const { connector } = r.engine;
  if (!connector) throw serviceUnavailable('this API server was started without a way to reach nodes');
  if (!subresource.takesPath) return connector.connect(r.ctx, r.request, target);
  const prefix = attributes.path.slice(0, attributes.path.length - rest.length);
  return connector.connect(r.ctx, r.request, { ...target, prefix });
}

/** The options as an object: what the query says, in the types of its fields. */
function optionsOf(
  { engine: { schema }, route }: ResourceRequest,
  type: string,
  query: ReadonlyMap<string, readonly string[]>,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const { name, type: of } of schema.get(type).fields) {
    const given = query.get(name);
    if (name === 'path' && route.rest !== '') options[name] = route.rest;
    if (!given) continue;
    const [first = ''] = given;
    if (of.k === 'list') options[name] = [...given];
    else if (of.k === 'bool') options[name] = first !== 'false' && first !== '0';
    else if (of.k === 'string') options[name] = first;
    else if ((of.k === 'int64' || of.k === 'int32') && /^-?\d+$/.test(first)) options[name] = Number(first);
  }
  return options;
}
