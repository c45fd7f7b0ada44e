import { formatTime } from '../../../libs/base/clock.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { conflict, notFound } from '../../../libs/machinery/errors.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { objectKey } from '../cache/keys.ts';
import { release } from './allocation.ts';
import { admissionRequest, type Engine, inStorageVersion, runAdmit, runValidate, type Target } from './engine.ts';
import { KindSet, type ServedResource } from './kind-set.ts';
import type { Draft } from './metadata.ts';
import { prepareObject, pretendedEntry, putObject } from './object-store.ts';
import { isFinished } from './update.ts';

const CONFLICT_TRIES = 16;
const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

/** DeleteOptions, read and checked. */
export interface DeleteParameters {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  /** As sent, for admission. */
  readonly options: ApiObject;
  /** One of many: then admission is not told the name. */
  readonly ofCollection?: boolean;
}

export interface Deleted {
  /** The object as it was last: gone, or dying. */
  readonly encoded: CachedObject;
  readonly gone: boolean;
}

/**
 * Deletes an object: at once, or, where grace or finalizers want it, by marking it. Throws `ApiError`: 404, 409 for a
 * precondition, 403 for admission.
 */
export async function deleteObject(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  parameters: DeleteParameters,
): Promise<Deleted> {
  const { kind } = target.resource;
  const cache = engine.caches.resource(kind);
  const key = objectKey(kind, target.namespace, target.name);
  let old = cache.get(key);
  for (let tries = 1; ; tries++) {
    if (!old) {
      const entry = await engine.store.get(key);
      if (!entry) throw notFound(kind, target.name);
      old = cache.encode(entry);
    }
    const failed = preconditionFailure(target.resource, target.name, old, parameters);
    if (failed) {
      const entry = await engine.store.get(key);
      if (entry?.revision === old.revision || !entry) throw entry ? failed : notFound(kind, target.name);
      old = cache.encode(entry);
      continue;
    }
    if (target.resource.served.prepare) old = await inStorageVersion(engine, ctx, target.resource, old);
    kind.strategy.checkDelete?.(ctx, old.object());
    const asked = parameters.ofCollection ? { ...target, name: '' } : target;
    const request = admissionRequest('DELETE', asked, '', undefined, old.object(), parameters.options);
    await runAdmit(engine, ctx, request);
    const reserved = await runValidate(engine, ctx, request);
    const done = await tryDelete(engine, ctx, target, key, old, parameters);
    if (done.deleted) return done.deleted;
    await reserved.rollback();
    if (tries >= CONFLICT_TRIES)
      throw conflict(kind, target.name, 'the object is being changed by others again and again; please try again');
    old = done.actual;
  }
}

function preconditionFailure(
  resource: ServedResource,
  name: string,
  old: CachedObject,
  parameters: DeleteParameters,
): Error | undefined {
  const { uid, resourceVersion } = parameters.preconditions ?? {};
  // Of custom resources the group is told, too.
  const { kind } = resource;
  const named = { group: KindSet.isCustom(resource) ? kind.group : '', resource: kind.kind };
  if (uid !== undefined && uid !== old.uid) {
    return conflict(
      named,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${old.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== String(old.revision)) {
    return conflict(
      named,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${old.revision}). The object might have been modified`,
    );
  }
  return undefined;
}

async function tryDelete(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  key: string,
  old: CachedObject,
  parameters: DeleteParameters,
): Promise<{ deleted?: Deleted; actual?: CachedObject }> {
  const { kind, schema } = target.resource;
  const cache = engine.caches.resource(kind);
  const marked = markForDeletion(engine, ctx, kind.strategy, old.object(), parameters);
  if (marked && !isFinished(kind.strategy, marked)) {
    const prepared = prepareObject(kind, schema, marked, engine.caches.revision, old.object());
    if (ctx.dryRun) return { deleted: { encoded: cache.pretend(pretendedEntry(prepared, key, old)), gone: false } };
    const result = await putObject(engine.store, key, prepared, old.revision);
    if (result.ok && result.entry) return { deleted: { encoded: cache.encode(result.entry), gone: false } };
    return result.ok || !result.actual ? {} : { actual: cache.encode(result.actual) };
  }
  if (marked === undefined) return { deleted: { encoded: old, gone: false } };
  if (ctx.dryRun) return { deleted: { encoded: old, gone: true } };
  const result = await engine.store.write({ key, value: undefined, expect: old.revision });
  if (result.ok) {
    await release(engine, ctx, kind, old.object());
    const { gracefulDelete, deleteReturnsObject } = kind.strategy;
    if (!deleteReturnsObject) return { deleted: { encoded: old, gone: true } };
    // Who may wait before it goes is shown as it went: with the grace that it was given. The revision is the deletion's.
    if (!gracefulDelete) return { deleted: { encoded: old.deletedAt(result.revision), gone: true } };
    const at = { revision: result.revision, createRevision: old.createRevision };
    const prepared = prepareObject(kind, schema, marked, at.revision, old.object());
    return { deleted: { encoded: cache.pretend(pretendedEntry(prepared, key, at)), gone: true } };
  }
  return result.actual ? { actual: cache.encode(result.actual) } : {};
}

/**
 * The object as it is while it dies: deletion time, grace, finalizers for its dependents. undefined when it is dying
 * already and this deletion changes nothing. All else is the stored object's own: `begin` replaces what it changes.
 */
function markForDeletion(
  engine: Engine,
  ctx: RequestContext,
  strategy: Strategy,
  old: DeepReadonly<ApiObject>,
  parameters: DeleteParameters,
): Draft | undefined {
  const draft = { ...old, metadata: { ...old.metadata } } as Draft;
  const { metadata } = draft;
  const wasDying = metadata.deletionTimestamp !== undefined;
  const finalizersBefore = (metadata.finalizers ?? []).join();
  setFinalizers(draft, strategy, parameters);
  const grace = strategy.gracefulDelete ? strategy.gracefulDelete.begin(ctx, draft, parameters.gracePeriodSeconds) : 0;
  const nowMs = engine.clock.now();

  if (wasDying) {
    const left = Number(metadata.deletionGracePeriodSeconds ?? 0);
    const shorter = grace !== 'unbounded' && grace < left;
    if (!shorter && (metadata.finalizers ?? []).join() === finalizersBefore && !isFinished(strategy, draft))
      return undefined;
    if (shorter) {
      metadata.deletionGracePeriodSeconds = grace;
      metadata.deletionTimestamp = formatTime(
        Date.parse(old.metadata?.deletionTimestamp as string) - (left - grace) * 1000,
      );
    }
    return draft;
  }
  metadata.deletionTimestamp = formatTime(nowMs + (grace === 'unbounded' ? 0 : grace * 1000));
  if (grace !== 'unbounded') metadata.deletionGracePeriodSeconds = grace;
  if (Number(metadata.generation ?? 0) > 0 && !strategy.gracefulDelete?.keepsGeneration) {
    metadata.generation = Number(metadata.generation) + 1;
  }
  return draft;
}

/** Foreground and orphan deletion are carried out by the garbage collector, which these finalizers call. */
function setFinalizers(draft: Draft, strategy: Strategy, parameters: DeleteParameters): void {
  const finalizers = (draft.metadata.finalizers ?? []).filter((name) => name !== ORPHAN && name !== FOREGROUND);
  const had = draft.metadata.finalizers ?? [];
  const policy =
    parameters.propagationPolicy ??
    (had.includes(ORPHAN) ? 'Orphan' : had.includes(FOREGROUND) ? 'Foreground' : defaultPolicy(strategy));
  if (policy === 'Orphan') finalizers.push(ORPHAN);
  if (policy === 'Foreground') finalizers.push(FOREGROUND);
  if (finalizers.length > 0) draft.metadata.finalizers = finalizers;
  else delete draft.metadata.finalizers;
}

const defaultPolicy = (strategy: Strategy) =>
  strategy.defaultDeletePropagation === 'orphan' ? 'Orphan' : 'Background';
