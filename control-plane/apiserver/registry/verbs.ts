import { formatTime } from '../../../libs/base/clock.ts';
import type { ActionSubresource, ObjectSubresource, Subresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import {
  badRequest,
  forbidden,
  invalid,
  methodNotAllowed,
  methodNotSupported,
  noRepresentation,
  notAcceptable,
  notFound,
  success,
  unknownPath,
} from '../../../libs/machinery/errors.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { objectKey } from '../cache/keys.ts';
import { partialMetadata } from '../cache/object-writer.ts';
import { tableOf } from '../cache/table.ts';
import { header } from '../headers.ts';
import { CONTENT_TYPES, isKnownMedia, negotiate, type Representation, STREAM_TYPES } from '../negotiation.ts';
import { parseWriteParameters, type WriteOptionsKind, type WriteParameters } from '../options.ts';
import { respond, statusResponse, textResponse, wholeBody } from '../responses.ts';
import type { Route } from '../router.ts';
import { decodeBody } from './body.ts';
import { connect } from './connect.ts';
import { createObject } from './create.ts';
import { deleteObject } from './delete.ts';
import { deleteCollection } from './delete-collection.ts';
import { decodeDeleteOptions } from './delete-options.ts';
import { admissionRequest, type Engine, runAdmit, runValidate, type Target } from './engine.ts';
import { KindSet, type ServedResource, subresourceOf } from './kind-set.ts';
import { ownAction, ownOnCreate } from './managed-fields.ts';
import type { Draft } from './metadata.ts';
import { patchObject } from './patch.ts';
import { checkMethod, checkNameSegment } from './paths.ts';
import { includeObjectOf, listOrWatch, presentObject, readObject } from './read.ts';
import { rulesOf } from './rules.ts';
import { sharingOf } from './unchangeable.ts';
import { changeObject } from './update.ts';
import { updateView, viewResponse } from './views.ts';

/** Everything a verb needs to know about its request. */
export interface ResourceRequest {
  readonly engine: Engine;
  readonly ctx: RequestContext;
  readonly request: ApiRequest;
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly target: Target;
  readonly subresource: string;
  /** How the answer is to be written. */
  readonly form: Representation;
}

/** Answers a request for a resource. Throws, or rejects with, `ApiError`; 404 and 405 for paths and methods that do not exist. */
export function handleResource(
  engine: Engine,
  ctx: RequestContext,
  request: ApiRequest,
  route: Route,
  query: URLSearchParams,
  pretty: boolean,
): Promise<ApiResponse> | ApiResponse {
  const { attributes } = route;
  const resource = engine.kinds.find(attributes.group, attributes.version, attributes.resource);
  const foreign = () => engine.kinds.isForeign(attributes.group);
  const nowhere = () => textResponse(404, '404 page not found\n');
  if (!resource && foreign()) return nowhere();
  if (!resource || !attributes.isResourceRequest) throw unknownPath();
  if (route.namespaceMissing) throw badRequest('Namespace parameter required.');
  const { kind, served } = resource;
  const collection =
    attributes.verb === 'list' || attributes.verb === 'watch' || attributes.verb === 'deletecollection';
  const name = collection ? '' : attributes.name;
  if (!kind.namespaced && attributes.namespace !== '' && kind.resource !== 'namespaces') {
    if (foreign()) return nowhere();
    throw unknownPath();
  }
  if (served.deprecationWarning) ctx.warnings.add(served.deprecationWarning);
  if (name === '' && ['update', 'patch'].includes(attributes.verb) && KindSet.isCustom(resource))
    throw badRequest('name must be provided');
  const form = formOf(request, resource, attributes.verb, pretty);
  if (!kind.virtual) checkNameSegment(name);
  const target = { resource, namespace: kind.namespaced ? attributes.namespace : '', name };
  const r: ResourceRequest = { engine, ctx, request, route, query, target, form, subresource: attributes.subresource };
  if (attributes.subresource !== '') return handleSubresource(r, subresourceOf(kind, attributes.subresource));
  if (request.method === 'HEAD') throw methodNotAllowed();
  checkMethod(kind, attributes, name);
  if (kind.virtual) return handleVirtual(r);
  switch (attributes.verb) {
    case 'get':
      return get(r);
    case 'list':
    case 'watch':
      return listOrWatch(r);
    case 'create':
      return create(r);
    case 'update':
      return update(r);
    case 'patch':
      return patchObject(r);
    case 'delete':
      return remove(r);
    case 'deletecollection':
      return deleteCollection(r);
    default:
      throw methodNotAllowed();
  }
}

/** How the answer is to be written. Throws 406: what is not computed can be a table, and a stream cannot be YAML. */
function formOf(request: ApiRequest, resource: ServedResource, verb: string, pretty: boolean): Representation {
  const { kind } = resource;
  const watch = verb === 'watch';
  const accept = header(request, 'accept');
  if (!isKnownMedia(accept)) throw noRepresentation(Object.values(CONTENT_TYPES));
  const allowAs = !kind.virtual || kind.columns.length > 0;
  const form = negotiate(accept, { allowAs, allowYaml: !watch, allowProtobuf: !KindSet.isCustom(resource), pretty });
  if (!form) throw notAcceptable(watch ? STREAM_TYPES : Object.values(CONTENT_TYPES));
  return form;
}

/** The request's context with what its parameters say about writing. */
export function writing(
  r: ResourceRequest,
  kind: WriteOptionsKind,
  apply = false,
): { ctx: RequestContext; parameters: WriteParameters; options: ApiObject } {
  const parameters = parseWriteParameters(r.query, kind, apply);
  const ctx: RequestContext = {
    ...r.ctx,
    dryRun: parameters.dryRun,
    fieldManager: parameters.fieldManager || r.ctx.fieldManager,
    fieldValidation: parameters.fieldValidation,
  };
  const options = {
    kind,
    apiVersion: 'meta.k8s.io/v1',
    ...(parameters.dryRun ? { dryRun: ['All'] } : {}),
    ...(parameters.fieldManager ? { fieldManager: parameters.fieldManager } : {}),
  };
  return { ctx, parameters, options };
}

function expectedBody({ kind, served, schema, apiVersion }: ServedResource) {
  return { schema, type: served.type, kind: kind.kind, apiVersion };
}

function get(r: ResourceRequest): Promise<ApiResponse> | ApiResponse {
  const found = readObject(r);
  if (found instanceof Promise) return found.then((encoded) => presentObject(r, encoded, 200));
  return presentObject(r, found, 200);
}

async function create(r: ResourceRequest): Promise<ApiResponse> {
  const { resource } = r.target;
  const { ctx, options } = writing(r, 'CreateOptions');
  const object = decodeBody(ctx, r.request.body, header(r.request, 'content-type'), expectedBody(resource));
  const encoded = await createObject(r.engine, ctx, r.target, object, options);
  return presentObject(r, encoded, 201);
}

async function update(r: ResourceRequest): Promise<ApiResponse> {
  const { resource, name } = r.target;
  const { ctx, options } = writing(r, 'UpdateOptions');
  const rules = rulesOf(resource.kind, r.subresource);
  const sharing = sharingOf(resource, r.subresource, rules);
  const decode = () => {
    const stored = sharing && r.request.body && 'value' in r.request.body ? storedObject(r) : undefined;
    const sent = header(r.request, 'content-type');
    return decodeBody(
      ctx,
      r.request.body,
      sent,
      expectedBody(resource),
      stored && sharing && { object: stored, sharing },
    );
  };
  const object = decode();
  nameMustMatch(object, name);
  let unused: ApiObject | undefined = object;
  const changed = await changeObject(r.engine, ctx, r.target, {
    subresource: r.subresource,
    rules,
    createIfMissing: r.subresource === '' && resource.kind.strategy.allowCreateOnUpdate === true,
    retry: !object.metadata?.resourceVersion,
    options,
    // Each try changes what it is given. Few need a second one.
    next: () => {
      const given = unused ?? decode();
      unused = undefined;
      return { object: given };
    },
  });
  return presentObject(r, changed.encoded, changed.created ? 201 : 200);
}

/** What the cache has of the request's object. */
function storedObject({ engine, target: { resource, namespace, name } }: ResourceRequest) {
  return engine.caches
    .resource(resource.kind)
    .get(objectKey(resource.kind, namespace, name))
    ?.object();
}

/** A body's name is the path's; it may be left out only where the API lets it. */
export function nameMustMatch(object: ApiObject, name: string): void {
  const given = object.metadata?.name ?? '';
  if (given === '')
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (given !== name)
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
}

const saysPropagation = (options: ApiObject): boolean =>
  Object.hasOwn(options, 'propagationPolicy') || Object.hasOwn(options, 'orphanDependents');

async function remove(r: ResourceRequest): Promise<ApiResponse> {
  const { kind } = r.target.resource;
  const { parameters, dryRun } = decodeDeleteOptions(r);
  if (kind.strategy.orphanWarning && !saysPropagation(parameters.options))
    r.ctx.warnings.add(kind.strategy.orphanWarning);
  const { encoded, gone } = await deleteObject(r.engine, { ...r.ctx, dryRun }, r.target, parameters);
  if (!gone || kind.strategy.deleteReturnsObject) return presentObject(r, encoded, 200);
  const details = {
    name: r.target.name,
    ...(kind.group ? { group: kind.group } : {}),
    kind: kind.resource,
    uid: encoded.uid,
  };
  return statusResponse(success(details), r.form, r.engine.schema, r.ctx.warnings.all);
}

async function handleSubresource(r: ResourceRequest, subresource: Subresource | undefined): Promise<ApiResponse> {
  const custom = KindSet.isCustom(r.target.resource);
  if (!subresource && custom && r.target.name !== '') throw notFound(r.target.resource.kind, r.target.name);
  if (!subresource || r.target.name === '') throw unknownPath();
  const { verb } = r.route.attributes;
  if (subresource.form === 'connect') {
    await checkUpgrade(r);
    return connect(r, subresource);
  }
  const verbs = subresource.verbs ?? (subresource.form === 'action' ? ['create'] : ['get', 'update', 'patch']);
  if (r.route.rest !== '') throw unknownPath();
  if (!verbs.includes(verb)) throw custom ? methodNotSupported(r.target.resource.kind, verb) : methodNotAllowed();
  switch (subresource.form) {
    case 'action':
      return act(r, subresource);
    case 'object':
      return handleView(r, subresource);
    case 'status':
      if (verb === 'get') return get(r);
      return verb === 'patch' ? patchObject(r) : update(r);
  }
}

/** A WebSocket begins with GET, and yet does what otherwise wants the right to create. */
async function checkUpgrade({ engine, ctx, target, subresource, route }: ResourceRequest): Promise<void> {
  if (route.attributes.verb !== 'get' || !['exec', 'attach', 'portforward'].includes(subresource)) return;
  try {
    await engine.authorize?.(ctx, { ...ctx.attributes, verb: 'create' });
  } catch {
    throw forbidden(target.resource.kind, target.name, '');
  }
}

async function handleView(r: ResourceRequest, view: ObjectSubresource): Promise<ApiResponse> {
  if (r.route.attributes.verb === 'get') return viewResponse(r, view, await readObject(r));
  return viewResponse(r, view, await updateView(r, view));
}

async function act(r: ResourceRequest, action: ActionSubresource): Promise<ApiResponse> {
  const { ctx, options } = writing(r, 'CreateOptions');
  const schema = r.engine.schema;
  const apiVersion = action.gvk.group ? `${action.gvk.group}/${action.gvk.version}` : action.gvk.version;
  const body = decodeBody(ctx, r.request.body, header(r.request, 'content-type'), {
    schema,
    type: action.type,
    kind: action.gvk.kind,
    apiVersion,
  });
  action.strategy?.defaults?.(body);
  body.metadata ??= {};
  if (action.asCreated) {
    body.metadata.uid = r.engine.random.uuid();
    body.metadata.creationTimestamp = formatTime(r.engine.clock.now());
  }
  ownAction(r.engine, ctx, action, r.subresource, body as Draft);
  const form = { gvk: action.gvk, type: action.type };
  const request = admissionRequest('CREATE', r.target, r.subresource, body, undefined, options, form);
  await runAdmit(r.engine, ctx, request);
  const admitted = request.object as ApiObject;
  const errors = action.strategy?.validate?.(admitted as DeepReadonly<ApiObject>, ctx) ?? [];
  if (errors.length > 0) throw invalid(action.gvk, admitted.metadata?.name ?? '', errors);
  const reserved = await runValidate(r.engine, ctx, request);
  let value: ApiObject;
  try {
    value = await action.run(ctx, r.engine.registry, admitted);
  } catch (error) {
    await reserved.rollback();
    throw error;
  }
  const code = value.kind === 'Status' ? Number((value as { code?: number }).code ?? 201) : 201;
  const type = value.kind === 'Status' ? 'meta.v1.Status' : action.type;
  return respond(code, wholeBody({ value, type, schema }, r.form), ctx.warnings.all);
}

/** Kinds that are computed: reviews, component statuses. */
async function handleVirtual(r: ResourceRequest): Promise<ApiResponse> {
  const { resource, namespace, name } = r.target;
  const { kind, served, schema } = resource;
  const virtual = kind.virtual;
  const answer = (value: unknown, type: string, code: number) =>
    respond(code, wholeBody({ value, type, schema }, r.form), r.ctx.warnings.all);
  switch (r.route.attributes.verb) {
    case 'create': {
      if (!virtual?.create) throw methodNotAllowed();
      const { ctx, options } = writing(r, 'CreateOptions');
      const body = decodeBody(ctx, r.request.body, header(r.request, 'content-type'), expectedBody(resource));
      kind.strategy.defaults?.(body);
      body.metadata ??= {};
      ownOnCreate(r.engine, ctx, resource, body as Draft);
      const asked = { ...r.target, name: body.metadata.name ?? '' };
      const request = admissionRequest('CREATE', asked, '', body, undefined, options);
      await runAdmit(r.engine, ctx, request);
      const admitted = request.object as ApiObject;
      const errors = kind.strategy.validate?.(admitted as DeepReadonly<ApiObject>, ctx) ?? [];
      if (errors.length > 0) throw invalid({ group: kind.group, kind: kind.kind }, asked.name, errors);
      // Nothing is stored, so nothing that plugins reserve is kept.
      const reserved = await runValidate(r.engine, ctx, request);
      try {
        return answer(await virtual.create(ctx, r.engine.registry, admitted), served.type, 201);
      } finally {
        await reserved.rollback();
      }
    }
    case 'get': {
      if (!virtual?.get) throw methodNotAllowed();
      const value = await virtual.get(r.ctx, r.engine.registry, namespace, name);
      return r.form.as === 'object' ? answer(value, served.type, 200) : presentVirtual(r, [value], true);
    }
    case 'list': {
      if (!virtual?.list) throw methodNotAllowed();
      const items = await virtual.list(r.ctx, r.engine.registry, namespace);
      if (r.form.as !== 'object') return presentVirtual(r, items, false);
      const value = { kind: kind.listKind, apiVersion: resource.apiVersion, metadata: {}, items };
      return answer(value, `${served.type}List`, 200);
    }
    default:
      throw methodNotAllowed();
  }
}

/** What was computed as a table, or as no more than its metadata. */
function presentVirtual(r: ResourceRequest, objects: readonly ApiObject[], single: boolean): ApiResponse {
  const { as, asVersion } = r.form;
  const { clock, caches } = r.engine;
  const write = (value: unknown) => respond(200, wholeBody({ value }, r.form), r.ctx.warnings.all);
  if (as === 'table') {
    const rows = objects.map((object) => ({ stored: object, shown: object }));
    return write(
      tableOf(r.target.resource.kind, rows, {
        asVersion,
        includeObject: includeObjectOf(r) || 'Metadata',
        columns: true,
        nowMs: clock.now(),
        metadata: {},
        ...(caches.documentation ? { documentation: caches.documentation } : {}),
      }),
    );
  }
  const items = objects.map((object) => partialMetadata(object, asVersion));
  if (single) return write(items[0]);
  return write({ kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${asVersion}`, metadata: {}, items });
}

/** 404 for a name that is not there: used by reads. */
export function missing(r: ResourceRequest): never {
  throw notFound(r.target.resource.kind, r.target.name);
}

/** The key of the request's object. */
export function keyOfTarget({ resource, namespace, name }: Target): string {
  return objectKey(resource.kind, namespace, name);
}
