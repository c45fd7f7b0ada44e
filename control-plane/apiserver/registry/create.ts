import type { ApiObject } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import {
  alreadyExists,
  alreadyExistsDeleting,
  badRequest,
  generateNameConflict,
  invalid,
} from '../../../libs/machinery/errors.ts';
import { generateName } from '../../../libs/machinery/names.ts';
import { applyDefaults } from '../../../libs/machinery/schema/defaults.ts';
import type { Entry } from '../../store/store.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { objectKey } from '../cache/keys.ts';
import { reserve } from './allocation.ts';
import {
  admissionRequest,
  type Engine,
  runAdmit,
  runValidate,
  storedResource,
  type Target,
  toStorage,
} from './engine.ts';
import { KindSet } from './kind-set.ts';
import { ownOnCreate } from './managed-fields.ts';
import {
  type Draft,
  dropRepeatedOwners,
  fillCreateMetadata,
  validateCreateMetadata,
  wipeCreateMetadata,
} from './metadata.ts';
import { prepareObject, pretendedEntry, putObject } from './object-store.ts';

/** How often a generated name is drawn anew when it is taken. */
const GENERATED_NAME_TRIES = 8;

/**
 * Creates an object. `submitted` is decoded, in the target's version, and the engine's own. Throws `ApiError`:
 * 400 a namespace that is not the path's, 422 invalid, 403 refused by admission, 409 already there.
 */
export async function createObject(
  engine: Engine,
  ctx: RequestContext,
  target: Target,
  submitted: ApiObject,
  options: ApiObject = {},
  ownership: 'update' | 'done' = 'update',
): Promise<CachedObject> {
  const { resource } = target;
  const { kind, schema } = resource;
  const { prepare } = resource.served;
  if (prepare?.toStorage) {
    checkAsSent(ctx, target, submitted);
    await prepare.toStorage(submitted, ctx.ends.signal);
    const stored = { ...target, resource: storedResource(engine, resource), asked: resource };
    return createObject(engine, ctx, stored, toStorage(resource, submitted), options, ownership);
  }
  const draft = toStorage(resource, submitted) as Draft;
  draft.metadata ??= {};
  matchNamespace(draft, kind.namespaced, target.namespace);
  applyDefaults(schema, kind.storageVersion.type, draft);
  kind.strategy.defaults?.(draft);
  wipeCreateMetadata(draft);
  dropRepeatedOwners(ctx, draft);
  if (ownership === 'update') ownOnCreate(engine, ctx, resource, draft);

  const asked = { ...target, name: draft.metadata.name ?? '' };
  const mutated = admissionRequest('CREATE', asked, '', draft, undefined, options);
  const admitting = runAdmit(engine, ctx, mutated);
  if (admitting) await admitting;
  const admitted = mutated.object as Draft;
  // Names are drawn and times set only now: mutating plugins do not see them.
  fillCreateMetadata(admitted, kind.strategy, engine.clock.now(), engine.random);
  const request = admissionRequest(
    'CREATE',
    { ...asked, name: asked.name || admitted.metadata.name || '' },
    '',
    admitted,
    undefined,
    options,
  );
  kind.strategy.prepareForCreate?.(ctx, admitted);
  const allocating = reserve(engine, ctx, kind, admitted);
  const allocated = allocating && (await allocating);
  try {
    validateNew(ctx, target, admitted);
    const validated = runValidate(engine, ctx, request);
    const reserved = validated instanceof Promise ? await validated : validated;
    try {
      const encoded = await insert(engine, ctx, target, admitted);
      if (allocated) await allocated.commit();
      return encoded;
    } catch (error) {
      await reserved.rollback();
      throw error;
    }
  } catch (error) {
    await allocated?.rollback();
    throw error;
  }
}

/** An object's namespace is the path's; it may be left out, but not be another. */
export function matchNamespace(draft: Draft, namespaced: boolean, namespace: string): void {
  if (!namespaced) {
    // It means nothing there, and is forgotten.
    delete draft.metadata.namespace;
    return;
  }
  if (!draft.metadata.namespace) draft.metadata.namespace = namespace;
  else if (draft.metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

/** What a webhook shall convert must be valid in the version that it was sent in. */
function checkAsSent(ctx: RequestContext, { resource }: Target, submitted: ApiObject): void {
  const { kind } = resource;
  kind.strategy.defaults?.(submitted);
  const errors = kind.strategy.validate?.(submitted, ctx) ?? [];
  if (errors.length > 0) throw invalid({ group: kind.group, kind: kind.kind }, submitted.metadata?.name ?? '', errors);
}

function validateNew(ctx: RequestContext, target: Target, draft: Draft): void {
  const { kind } = target.resource;
  const custom = KindSet.isCustom(target.resource);
  const errors = [...validateCreateMetadata(kind, draft, custom), ...(kind.strategy.validate?.(draft, ctx) ?? [])];
  if (errors.length > 0) throw invalid({ group: kind.group, kind: kind.kind }, draft.metadata.name ?? '', errors);
  for (const text of kind.strategy.warnings?.(draft, undefined, ctx) ?? []) ctx.warnings.add(text);
}

async function insert(engine: Engine, ctx: RequestContext, target: Target, draft: Draft): Promise<CachedObject> {
  const { kind, schema } = target.resource;
  const cache = engine.caches.resource(kind);
  const generated = draft.metadata.generateName;
  for (let tries = 1; ; tries++) {
    const name = draft.metadata.name as string;
    const key = objectKey(kind, draft.metadata.namespace ?? '', name);
    const prepared = prepareObject(kind, schema, draft, engine.caches.revision);
    let taken: Entry | undefined;
    if (ctx.dryRun) {
      taken = await engine.store.get(key);
      if (!taken) return cache.pretend(pretendedEntry(prepared, key));
    } else {
      const result = await putObject(engine.store, key, prepared, 'absent', kind.expireAfterSeconds);
      if (result.ok) return cache.encode(result.entry as Entry);
      taken = result.actual;
    }
    if (taken && !generated && cache.encode(taken).object().metadata?.deletionTimestamp)
      throw alreadyExistsDeleting(kind, name);
    if (!generated || !name.startsWith(generated.slice(0, 58))) throw alreadyExists(kind, name);
    if (tries >= GENERATED_NAME_TRIES) throw generateNameConflict(kind, name);
    draft.metadata.name = generateName(generated, engine.random);
  }
}
