import { assert } from '../../../libs/base/assert.ts';
import type { AdmissionBody, AdmissionEffect } from '../../../libs/kind/admission.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import {
  conflict,
  invalid,
  modified,
  notFound,
  uidPrecondition,
  unclassified,
} from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { applyDefaults } from '../../../libs/machinery/schema/defaults.ts';
import type { Entry } from '../../store/store.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { objectKey } from '../cache/keys.ts';
import { release, reserve } from './allocation.ts';
import { createObject, matchNamespace } from './create.ts';
import {
  admissionRequest,
  type Engine,
  fromStorage,
  inStorageVersion,
  runAdmit,
  runValidate,
  storedResource,
  type Target,
  toStorage,
} from './engine.ts';
import type { ServedResource } from './kind-set.ts';
import { KindSet } from './kind-set.ts';
import { ownOnUpdate } from './managed-fields.ts';
import { type Draft, dropRepeatedOwners, fillUpdateMetadata, validateUpdateMetadata } from './metadata.ts';
import { isUnchanged, prepareObject, pretendedEntry, putObject } from './object-store.ts';
import { rulesOf } from './rules.ts';
import { setAside, sharingOf } from './unchangeable.ts';

/** How often a change is made anew because somebody else was faster. Patches only: a PUT says which state it is about. */
const CONFLICT_TRIES = 5;

export interface Change {
  /** `''` or the subresource through which the object is changed. */
  readonly subresource: string;
  readonly rules: StatusSubresource['strategy'] | Strategy;
  /**
   * What the object shall be, in the target's version, the engine's own; `old` is undefined where there is none. Called
   * again when somebody else was faster. `owned`: managed fields are settled already (server-side apply).
   */
  next(old: CachedObject | undefined): Promise<NextObject> | NextObject;
  /** The object comes to be if it is not there. */
  readonly createIfMissing: boolean;
  /** The change stands for itself and is made again upon a newer state (patch without resourceVersion). */
  readonly retry: boolean;
  /** UpdateOptions or PatchOptions as sent, for admission. */
  readonly options: ApiObject;
  /** How admission sees a view upon the object (scale). */
  readonly body?: AdmissionBody;
}

export interface NextObject {
  readonly object: ApiObject;
  readonly owned?: boolean;
}

export interface Changed {
  readonly encoded: CachedObject;
  readonly created: boolean;
}

/**
 * Changes an object. Throws `ApiError`: 404 not there, 409 another version or uid than said, 422 invalid, 403 refused.
 * A change that changes nothing writes nothing and answers with what is there.
 */
export async function changeObject(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  change: Change,
): Promise<Changed> {
  const { kind, served } = target.resource;
  if (served.prepare?.toStorage) return changeConverted(engine, ctx, target, change, served.prepare);
  const cache = engine.caches.resource(kind);
  const key = objectKey(kind, target.namespace, target.name);
  let old = cache.get(key);
  for (let tries = 1; ; tries++) {
    if (!old) old = await newest(engine, target, key);
    if (!old) {
      if (!change.createIfMissing) throw notFound(kind, target.name);
      return create(engine, ctx, target, change);
    }
    if (served.prepare) old = await inStorageVersion(engine, ctx, target.resource, old);
    const outcome = await tryChange(engine, ctx, target, key, old, change);
    if (outcome.done) return { encoded: outcome.encoded, created: false };
    if (tries >= CONFLICT_TRIES || (!change.retry && !outcome.stale)) throw modified(kind, target.name);
    old = outcome.actual ? cache.encode(outcome.actual) : undefined;
  }
}

/** The same where a webhook converts: the change is made in the version that was asked for, and stored as converted. */
function changeConverted(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  change: Change,
  prepare: NonNullable<ServedResource['served']['prepare']>,
): Promise<Changed> {
  const { resource } = target;
  const stored = storedResource(engine, resource);
  return changeObject(
    engine,
    ctx,
    { ...target, resource: stored, asked: resource },
    {
      ...change,
      rules: rulesOf(stored.kind, change.subresource),
      async next(old) {
        const before = old?.object();
        if (before) await prepare.fromStorage([before], ctx.ends.signal);
        const { object, ...rest } = await change.next(old);
        if (before) checkAsSent(ctx, target, change, object, fromStorage(resource, before));
        await prepare.toStorage?.(object, ctx.ends.signal);
        return { ...rest, object: toStorage(resource, object) };
      },
    },
  );
}

/** What a webhook shall convert must be right in the version that it was sent in: the other one may not show what is wrong. */
function checkAsSent(
  ctx: RequestContext,
  { resource: { kind }, name }: Target,
  { rules }: Change,
  object: ApiObject,
  before: DeepReadonly<ApiObject>,
): void {
  rules.defaults?.(object);
  object.metadata ??= {};
  rules.prepareForUpdate?.(ctx, object as Draft, before);
  // Metadata is no version's, and is looked at when it is whole.
  const { metadata } = before;
  const errors = rules.validateUpdate?.({ ...object, metadata } as DeepReadonly<ApiObject>, before, ctx) ?? [];
  if (errors.length > 0) throw invalid({ group: kind.group, kind: kind.kind }, name, errors);
}

async function newest(engine: Engine, target: Target, key: string): Promise<CachedObject | undefined> {
  const entry = await engine.store.get(key);
  return entry && engine.caches.resource(target.resource.kind).encode(entry);
}

async function create(engine: Engine, ctx: RequestContext, target: Target, change: Change): Promise<Changed> {
  await engine.authorize?.(ctx, { ...ctx.attributes, verb: 'create' });
  const next = await change.next(undefined);
  const uid = next.object.metadata?.uid;
  if (uid && ctx.attributes.verb === 'patch') {
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(target.resource.kind, target.name, why);
  }
  checkUid(target, uid, '');
  const encoded = await createObject(engine, ctx, target, next.object, change.options, next.owned ? 'done' : 'update');
  return { encoded, created: true };
}

type Outcome =
  | { readonly done: true; readonly encoded: CachedObject }
  /** `stale`: the cache was behind, and the caller's own precondition may hold upon the actual entry. */
  | { readonly done: false; readonly actual: Entry | undefined; readonly stale: boolean };

async function tryChange(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  key: string,
  old: CachedObject,
  change: Change,
): Promise<Outcome> {
  const { resource } = target;
  const { kind, schema } = resource;
  const before = old.object();
  const next = await change.next(old);
  const draft = toStorage(resource, next.object) as Draft;
  draft.metadata ??= {};
  matchNamespace(draft, kind.namespaced, target.namespace);
  // A PUT says which object it means; to a patch a uid is a field like others, and must not change.
  if (ctx.attributes.verb !== 'patch') checkUid(target, draft.metadata.uid, before.metadata?.uid);
  const wanted = draft.metadata.resourceVersion ?? '';
  if (!/^\d*$/.test(wanted)) throw unclassified(`strconv.ParseUint: parsing ${quote(wanted)}: invalid syntax`);
  if (wanted !== '' && wanted !== '0' && wanted !== String(old.revision)) {
    // The cache may be behind the writer's own last write: only the store's newest decides.
    const newestEntry = await engine.store.get(key);
    if (newestEntry && newestEntry.revision !== old.revision) return { done: false, actual: newestEntry, stale: true };
    throw modified(kind, target.name);
  }
  if (wanted === '' && kind.strategy.allowUnconditionalUpdate === false) {
    // Here the resource is named where other refusals name the kind.
    throw invalid({ group: kind.group, kind: kind.resource }, target.name, [
      field.invalid(field.path('metadata', 'resourceVersion'), 0, 'must be specified for an update'),
    ]);
  }

  const putBack = setAside(draft, before, sharingOf(resource, change.subresource, change.rules));
  applyDefaults(schema, kind.storageVersion.type, draft);
  change.rules.defaults?.(draft);
  putBack();
  dropRepeatedOwners(ctx, draft);
  const owned = next.owned ? undefined : ownOnUpdate(engine, ctx, resource, change.subresource, before, draft);
  if (owned) await owned;
  const request = admissionRequest('UPDATE', target, change.subresource, draft, before, change.options, change.body);
  const admitting = runAdmit(engine, ctx, request);
  if (admitting) await admitting;
  const admitted = request.object as Draft;
  change.rules.prepareForUpdate?.(ctx, admitted, before);
  const allocating = change.subresource === '' ? reserve(engine, ctx, kind, admitted, before) : undefined;
  const allocated = allocating && (await allocating);
  fillUpdateMetadata(admitted, before, kind.strategy, () => {
    return change.subresource !== 'status' && countsAsChange(kind.strategy, admitted, before);
  });
  let reserved: AdmissionEffect | undefined;
  let stored = false;
  try {
    validateChange(ctx, target, change, admitted, before);
    const validated = runValidate(engine, ctx, request);
    reserved = validated instanceof Promise ? await validated : validated;
    const outcome = await replace(engine, ctx, target, key, old, admitted);
    stored = outcome.done;
    return outcome;
  } finally {
    if (!stored) {
      await reserved?.rollback();
      await allocated?.rollback();
    } else if (isFinished(kind.strategy, admitted) && !ctx.dryRun) await release(engine, ctx, kind, before);
    else if (allocated) await allocated.commit();
  }
}

async function replace(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  key: string,
  old: CachedObject,
  draft: Draft,
): Promise<Outcome> {
  const { kind, schema } = target.resource;
  const cache = engine.caches.resource(kind);
  const prepared = prepareObject(kind, schema, draft, engine.caches.revision, old.object());
  if (isUnchanged(prepared, old.revision, old.entry().value)) return { done: true, encoded: old };
  if (isFinished(kind.strategy, draft)) {
    if (ctx.dryRun) return { done: true, encoded: cache.pretend(pretendedEntry(prepared, key, old)) };
    const removed = await engine.store.write({ key, value: undefined, expect: old.revision });
    if (!removed.ok) return { done: false, actual: removed.actual, stale: false };
    return { done: true, encoded: cache.pretend(pretendedEntry(prepared, key, old)) };
  }
  if (ctx.dryRun) return { done: true, encoded: cache.pretend(pretendedEntry(prepared, key, old)) };
  const result = await putObject(engine.store, key, prepared, old.revision, kind.expireAfterSeconds);
  if (!result.ok) return { done: false, actual: result.actual, stale: false };
  assert(result.entry, 'a put has an entry');
  return { done: true, encoded: cache.encode(result.entry) };
}

/** A dying object goes with its last finalizer, once its grace is over and nothing else holds it. */
export function isFinished(strategy: Strategy, object: DeepReadonly<ApiObject>): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata ?? {};
  if (!deletionTimestamp || (finalizers ?? []).length > 0) return false;
  return Number(deletionGracePeriodSeconds ?? 0) === 0 && !strategy.heldBy?.(object);
}

function checkUid({ resource, namespace, name }: Target, wanted: string | undefined, actual: string | undefined): void {
  if (wanted && wanted !== actual) throw uidPrecondition(resource.kind, namespace, name, wanted, actual ?? '');
}

/** Whether an update counts in `metadata.generation`: anything but metadata and status differs. */
function countsAsChange(strategy: Strategy, draft: Draft, old: DeepReadonly<ApiObject>): boolean {
  if (strategy.generationChanged) return strategy.generationChanged(draft, old);
  const [is, was] = [draft as unknown as Parts, old as Parts];
  for (const key in is) if (counts(key) && !sameValue(is[key], was[key])) return true;
  for (const key in was) if (counts(key) && !Object.hasOwn(is, key) && !sameValue(undefined, was[key])) return true;
  return false;
}

type Parts = Readonly<Record<string, unknown>>;

const counts = (part: string): boolean =>
  part !== 'metadata' && part !== 'status' && part !== 'apiVersion' && part !== 'kind';

function validateChange(
  ctx: RequestContext,
  target: Target,
  change: Change,
  draft: Draft,
  old: DeepReadonly<ApiObject>,
): void {
  const { kind } = target.resource;
  const custom = KindSet.isCustom(target.resource);
  const errors = validateUpdateMetadata(draft, old, custom, kind.strategy.plainFinalizers);
  errors.push(...(change.rules.validateUpdate?.(draft, old, ctx) ?? []));
  if (errors.length > 0) throw invalid({ group: kind.group, kind: kind.kind }, target.name, errors);
  for (const text of change.rules.warnings?.(draft, old, ctx) ?? []) ctx.warnings.add(text);
}
