import { withTimeout } from '../../../libs/base/clock.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import { decodeAny } from '../../../libs/machinery/codec/json.ts';
import {
  badRequest,
  cannotTransform,
  expired,
  notFound,
  timeout,
  tooLargeResourceVersion,
} from '../../../libs/machinery/errors.ts';
import { FieldSelector } from '../../../libs/machinery/fields.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import { CompactedError, FutureRevisionError } from '../../store/store.ts';
import type { ApiResponse, WatchBody, WholeBody } from '../api.ts';
import type { Encoded, Form } from '../cache/encoded.ts';
import { objectKey } from '../cache/keys.ts';
import type { ListMetadata } from '../cache/list-writer.ts';
import type { ListPage } from '../cache/resource-cache.ts';
import { type Selection, selectionOf } from '../cache/selection.ts';
import { CONTENT_TYPES, WATCH_CONTENT_TYPES } from '../negotiation.ts';
import {
  type ListParameters,
  parseListParameters,
  resourceVersionOrBad,
  resourceVersionOrInternal,
} from '../options.ts';
import { prettyText, respond } from '../responses.ts';
import { isTrue } from '../router.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { splitFields } from './converted-fields.ts';
import { convertingSink } from './converting-sink.ts';
import { KindSet, type ServedResource } from './kind-set.ts';
import type { ResourceRequest } from './verbs.ts';

/** How long a read waits for a revision that the server has not reached, before it says so. */
const CATCH_UP_MS = 3000;
/** Watches without a timeout of their own end after this long and up to as much again, so that clients spread. */
const WATCH_SECONDS_MIN = 1800;

const encoder = new TextEncoder();

/** The request's object, as new as the request wants it. Throws, or rejects with, 404. */
export function readObject(r: ResourceRequest): Promise<Encoded> | Encoded {
  if (isTrue(r.query.get('export')))
    throw badRequest('the export parameter, deprecated since v1.14, is no longer supported');
  const waiting = waitFor(r, resourceVersionOrInternal(r.query.get('resourceVersion') ?? ''));
  return waiting ? waiting.then(() => cachedObject(r)) : cachedObject(r);
}

function cachedObject(r: ResourceRequest): Encoded {
  const { resource, namespace, name } = r.target;
  const found = r.engine.caches.resource(resource.kind).get(objectKey(resource.kind, namespace, name));
  if (!found) throw notFound(resource.kind, name);
  return found;
}

/**
 * revision undefined: all that was acknowledged; 0: whatever is there; a number: at least that revision. A promise only
 * where that is not there yet.
 */
function waitFor(r: ResourceRequest, revision: number | undefined): Promise<unknown> | undefined {
  const { caches } = r.engine;
  if (revision === undefined) {
    const fresh = caches.fresh(r.ctx.ends);
    return fresh instanceof Promise ? fresh : undefined;
  }
  return revision > caches.revision || !caches.loaded ? catchUp(r, revision) : undefined;
}

async function catchUp(r: ResourceRequest, revision: number): Promise<void> {
  const { caches, clock } = r.engine;
  using deadline = withTimeout(clock, CATCH_UP_MS, r.ctx.ends.signal);
  try {
    await caches.reached(revision, deadline.signal);
  } catch (error) {
    if (r.ctx.ends.signal.aborted) throw error;
    throw tooLargeResourceVersion(revision, caches.revision);
  }
}

/** An object as the answer, in the form that the request asks for. */
export function presentObject(r: ResourceRequest, encoded: Encoded, code: number): ApiResponse | Promise<ApiResponse> {
  const { prepare } = r.target.resource.served;
  if (!prepare || r.form.as === 'metadata' || encoded.isIn(r.target.resource.apiVersion)) {
    return objectResponse(r, encoded, code, undefined);
  }
  const held = encoded.object();
  return prepare.fromStorage([held], r.ctx.ends.signal).then(() => objectResponse(r, encoded, code, held));
}

/** `held`: what was converted for this answer, kept until it is written. */
function objectResponse(r: ResourceRequest, encoded: Encoded, code: number, held: unknown): ApiResponse {
  const form = formOf(r, false);
  const body: WholeBody = {
    form: 'whole',
    contentType: CONTENT_TYPES[r.form.media],
    bytes: () => [isPretty(r) ? encoder.encode(prettyText(encoded.value(form))) : encoded.bytes(form)],
    value: () => keeping(held, encoded.value(form)),
  };
  return respond(code, body, r.ctx.warnings.all);
}

/** The value; who may still be asked for it holds what it is made from. */
const keeping = <T>(_held: unknown, value: T): T => value;

const isPretty = (r: ResourceRequest) => r.form.pretty && r.form.media === 'json';

/** Metadata is asked for of one object or of a list, and must be of what is answered. */
function checkMetadataOf({ target }: ResourceRequest, asList: boolean, list: boolean): void {
  if (asList === list) return;
  const { kind } = target.resource;
  const custom = KindSet.isCustom(target.resource);
  const type = custom ? 'unstructured.Unstructured' : `${kind.group.replace(/\..*/, '') || 'core'}.${kind.kind}`;
  throw cannotTransform(
    list
      ? `you requested PartialObjectMetadata, but the requested object is a list (*${type}List)`
      : `you requested PartialObjectMetadataList, but the requested object is not a list (*${type})`,
  );
}

function formOf(r: ResourceRequest, list: boolean): Form {
  const { media, as, asVersion, asList } = r.form;
  const { apiVersion } = r.target.resource;
  if (as === 'metadata') checkMetadataOf(r, asList ?? false, list);
  return r.engine.caches.forms.get({
    apiVersion,
    media,
    as,
    asVersion,
    includeObject: as === 'table' ? includeObjectOf(r) : '',
  });
}

/** What rows of a table shall carry of their object. Throws 400 for what is no choice. */
export function includeObjectOf(r: ResourceRequest): Form['includeObject'] {
  const value = r.query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${quote(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

export function listOrWatch(r: ResourceRequest): Promise<ApiResponse> | ApiResponse {
  const watch = r.route.attributes.verb === 'watch';
  const parameters = parseListParameters(r.query, watch);
  if (watch) return openWatch(r, parameters);
  return selectObjects(r, parameters).then((page) => presentList(r, page));
}

/** What the selectors say. `converted`: what is left of them to ask a webhook about. */
function selectionFrom(r: ResourceRequest, { fieldSelector, labelSelector }: ListParameters) {
  const { resource, namespace } = r.target;
  const { fields, converted } = splitFields(resource.served, storedFields(resource, fieldSelector));
  return { selection: selectionOf(namespace, labelSelector, fields), converted };
}

/** What a list with these parameters shows. */
export async function selectObjects(r: ResourceRequest, parameters: ListParameters): Promise<ListPage> {
  const { selection, converted } = selectionFrom(r, parameters);
  const { limit } = parameters;
  if (!converted) return selectPage(r, parameters, selection, limit);
  const all = await selectPage(r, parameters, selection, 0);
  const matching = await converted.matching(all.objects(), r.ctx.ends.signal);
  const more = limit > 0 && matching.length > limit;
  const { revision } = all;
  const cache = r.engine.caches.resource(r.target.resource.kind);
  return cache.pageOf(more ? matching.slice(0, limit) : matching, { revision, more });
}

async function selectPage(
  r: ResourceRequest,
  parameters: ListParameters,
  selection: Selection,
  limit: number,
): Promise<ListPage> {
  const cache = r.engine.caches.resource(r.target.resource.kind);
  const revision = resourceVersionOrBad(parameters.resourceVersion);
  const { chunks, revision: present } = r.engine.caches;
  if (parameters.limit > 0) chunks.note(present);
  try {
    if (parameters.continue !== '') {
      const token = decodeContinue(parameters.continue);
      if (revision) throw badRequest('specifying resource version is not allowed when using continue');
      const after = cache.prefix + token.start.replace(/\0$/, '');
      if (token.revision < 0) {
        await waitFor(r, undefined);
        return await cache.list({ selection, after, limit });
      }
      if (chunks.isOver(token.revision)) throw new CompactedError(token.revision, present);
      return await cache.listAt(token.revision, { selection, after, limit });
    }
    const exact =
      parameters.resourceVersionMatch === 'Exact' ||
      (parameters.resourceVersionMatch === '' && parameters.limit > 0 && Boolean(revision));
    if (exact && revision) {
      await waitFor(r, revision);
      return await cache.listAt(revision, { selection, limit });
    }
    await waitFor(r, revision);
    return await cache.list({ selection, limit: revision === 0 ? 0 : limit });
  } catch (error) {
    throw listError(error, parameters, cache.revision);
  }
}

function listError(error: unknown, parameters: ListParameters, current: number): unknown {
  if (error instanceof FutureRevisionError) return tooLargeResourceVersion(error.requested, current);
  if (!(error instanceof CompactedError)) return error;
  if (parameters.continue === '') {
    return expired('The resourceVersion for the provided list is too old.');
  }
  const { start } = decodeContinue(parameters.continue);
  const refused = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  Object.assign(refused.status.metadata, { continue: encodeContinue({ revision: -1, start }) });
  return refused;
}

/** A list as the answer. */
export function presentList(r: ResourceRequest, page: ListPage): ApiResponse | Promise<ApiResponse> {
  const { prepare } = r.target.resource.served;
  if (!prepare || r.form.as === 'metadata') return listResponse(r, page, undefined);
  const { apiVersion } = r.target.resource;
  const others = page.objects().filter((encoded) => !encoded.isIn(apiVersion));
  if (others.length === 0) return listResponse(r, page, undefined);
  const held = others.map((encoded) => encoded.object());
  return prepare.fromStorage(held, r.ctx.ends.signal).then(() => listResponse(r, page, held));
}

function listResponse(r: ResourceRequest, page: ListPage, held: unknown): ApiResponse {
  const form = formOf(r, true);
  const metadata: ListMetadata = {
    resourceVersion: String(page.revision),
    ...(page.more ? { continue: nextToken(r, page) } : isUnstructured(r) ? { continue: '' } : {}),
    ...(page.more && page.remaining ? { remainingItemCount: page.remaining } : {}),
  };
  const body: WholeBody = {
    form: 'whole',
    contentType: CONTENT_TYPES[r.form.media],
    bytes: () => (isPretty(r) ? [prettyBytes(page.pieces(form, metadata))] : page.pieces(form, metadata)),
    value: () => keeping(held, page.value(form, metadata)),
  };
  return respond(200, body, r.ctx.warnings.all);
}

/** What is written anyhow, spread over lines. */
function prettyBytes(pieces: Iterable<Uint8Array>): Uint8Array {
  const decoder = new TextDecoder();
  return encoder.encode(
    prettyText(
      decodeAny([...pieces].map((piece) => decoder.decode(piece, { stream: true })).join('') + decoder.decode()),
    ),
  );
}

/** Lists of custom resources say that nothing follows, where others leave it out. */
const isUnstructured = (r: ResourceRequest): boolean => r.form.as === 'object' && KindSet.isCustom(r.target.resource);

function nextToken(r: ResourceRequest, page: ListPage): string {
  const { prefix } = r.engine.caches.resource(r.target.resource.kind);
  return encodeContinue({ revision: page.revision, start: `${(page.lastKey ?? prefix).slice(prefix.length)}\0` });
}

/** The selector in the storage version's labels. Refuses fields that the kind does not know, in upstream's wordings. */
function storedFields(
  { kind, served }: ServedResource,
  selector: FieldSelector | undefined,
): FieldSelector | undefined {
  if (!selector) return undefined;
  const always = kind.namespaced ? ['metadata.name', 'metadata.namespace'] : ['metadata.name'];
  const { fieldLabels } = served;
  const requirements = selector.requirements.map((requirement) => {
    const { field } = requirement;
    if (always.includes(field)) return requirement;
    if (fieldLabels ? Object.hasOwn(fieldLabels, field) : Object.hasOwn(kind.selectableFields, field)) {
      return { ...requirement, field: fieldLabels?.[field] ?? field };
    }
    throw badRequest(unknownField(kind, field));
  });
  return new FieldSelector(requirements);
}

function unknownField(kind: Kind, label: string): string {
  if (kind.unknownField) return kind.unknownField(label);
  return Object.keys(kind.selectableFields).length > 0
    ? `field label not supported: ${label}`
    : `${JSON.stringify(label)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

function openWatch(r: ResourceRequest, parameters: ListParameters): Promise<ApiResponse> | ApiResponse {
  const selected = selectionFrom(r, parameters);
  const revision = resourceVersionOrInternal(parameters.resourceVersion);
  const waiting = waitFor(r, revision);
  const answer = () => watchResponse(r, parameters, selected, revision);
  return waiting ? waiting.then(answer) : answer();
}

function watchResponse(
  r: ResourceRequest,
  parameters: ListParameters,
  { selection, converted }: ReturnType<typeof selectionFrom>,
  revision: number | undefined,
): ApiResponse {
  const { engine } = r;
  const initial = parameters.sendInitialEvents === true;
  const { kind, served } = r.target.resource;
  const { prepare } = served;
  const cache = engine.caches.resource(kind);
  const form = formOf(r, r.form.asList ?? false);
  const seconds = parameters.timeoutSeconds || Math.round(WATCH_SECONDS_MIN * (1 + engine.random.next()));
  if (seconds < 0) throw timeout('the watch is over before it began');
  const body = new BegunBody(WATCH_CONTENT_TYPES[r.form.media], (sink) =>
    cache.watch(
      {
        form,
        selection,
        start: initial || !revision ? (parameters.sendInitialEvents === false ? cache.revision : 'state') : revision,
        initialEventsEnd: initial && parameters.allowWatchBookmarks,
        bookmarks: parameters.allowWatchBookmarks,
        timeoutMs: seconds * 1000,
      },
      prepare && (converted || form.as !== 'metadata')
        ? convertingSink(sink, prepare, r.ctx.ends.signal, converted)
        : sink,
    ),
  );
  return { code: 200, headers: {}, warnings: r.ctx.warnings.all, body };
}

/** A class for the reason of `OpenedWatch`. */
class BegunBody implements WatchBody {
  readonly form = 'watch';
  readonly contentType: string;
  readonly open: WatchBody['open'];

  constructor(contentType: string, open: WatchBody['open']) {
    this.contentType = contentType;
    this.open = open;
  }
}
