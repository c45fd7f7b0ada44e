import type { ActionSubresource, Kind, ObjectSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { apiVersionOf } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { FieldManager } from '../../../libs/machinery/apply/field-manager.ts';
import { Structures } from '../../../libs/machinery/apply/structure.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import type { Engine } from './engine.ts';
import { type ServedResource, subresourceOf } from './kind-set.ts';
import type { Draft } from './metadata.ts';
import { WrittenVersions, writtenVersion, writtenVersionsOf } from './written-versions.ts';

/** Everything here is derived from what a kind and its schema say, and is forgotten with them. */
const structures = new WeakMap<SchemaSet, Structures>();
const managers = new WeakMap<Kind, Map<string, FieldManager>>();
const formManagers = new WeakMap<SchemaSet, WeakMap<ObjectSubresource | ActionSubresource, FieldManager>>();

function structuresOf(schema: SchemaSet): Structures {
  let found = structures.get(schema);
  if (!found) structures.set(schema, (found = new Structures(schema)));
  return found;
}

/** The one that keeps owners of a resource's version, for writes through `subresource` (`''`: the main resource). */
function fieldManagerOf(resource: ServedResource, subresource: string): FieldManager {
  const { kind, apiVersion } = resource;
  let ofKind = managers.get(kind);
  if (!ofKind) managers.set(kind, (ofKind = new Map()));
  const key = `${apiVersion} ${subresource}`;
  let manager = ofKind.get(key);
  if (!manager) {
    const convert = writtenVersionsOf(kind).length > 1 ? converter(resource) : undefined;
    ofKind.set(key, (manager = newManager(resource, subresource, convert)));
  }
  return manager;
}

/** Gives `work` the one that keeps the owners. Where a webhook converts, it is asked, and the work done anew: a promise. */
export function owning<T>(
  ctx: RequestContext,
  resource: ServedResource,
  subresource: string,
  work: (manager: FieldManager) => T,
): T | Promise<T> {
  if (!resource.served.prepare) return work(fieldManagerOf(resource, subresource));
  const versions = new WrittenVersions(resource);
  const manager = newManager(resource, subresource, versions.convert);
  return versions.whole(() => work(manager), ctx.ends.signal);
}

type Convert = (object: Readonly<Record<string, unknown>>, apiVersion: string) => typeof object | undefined;

function newManager(resource: ServedResource, subresource: string, convert: Convert | undefined): FieldManager {
  const { kind, apiVersion, served, schema } = resource;
  const rules = subresource === '' ? kind.strategy : subresourceOf(kind, subresource);
  const resetFields =
    rules && 'form' in rules ? (rules.form === 'status' ? rules.strategy.resetFields : undefined) : rules?.resetFields;
  return new FieldManager({
    structures: structuresOf(schema),
    type: { k: 'ref', name: served.type },
    apiVersion,
    kind: kind.kind,
    subresource,
    ...(resetFields ? { resetFields } : {}),
    ...(convert && {
      convert(object, wanted) {
        const converted = convert(object, wanted);
        const type = writtenVersion(kind, wanted)?.type;
        return converted && type ? { object: converted, type: { k: 'ref', name: type } } : undefined;
      },
    }),
  });
}

/** From the resource's version to another of the same kind, by way of the stored one. */
function converter({ kind, served }: ServedResource): Convert {
  return (object, apiVersion) => {
    const wanted = writtenVersion(kind, apiVersion);
    if (!wanted) return undefined;
    const own = structuredClone(object) as ApiObject;
    const stored = served.toStorage ? served.toStorage(own) : own;
    const shown = wanted.fromStorage ? wanted.fromStorage(stored as DeepReadonly<ApiObject>) : stored;
    return { ...shown, apiVersion } as Readonly<Record<string, unknown>>;
  };
}

/** A stored object as the request's version has it; the object itself for most kinds. */
function inVersion({ served }: ServedResource, object: DeepReadonly<ApiObject>): DeepReadonly<ApiObject> {
  if (!served.fromStorage) return object;
  const shown = served.fromStorage(object) as ApiObject;
  // Who owns what is told of the stored object's metadata.
  return { ...shown, metadata: object.metadata } as DeepReadonly<ApiObject>;
}

/** The creator owns what the object says after defaulting. */
export function ownOnCreate(engine: Engine, ctx: RequestContext, resource: ServedResource, draft: Draft): void {
  const manager = fieldManagerOf(resource, '');
  const options = { manager: ctx.fieldManager, nowMs: engine.clock.now() };
  note(draft, manager.update(undefined, inVersion(resource, draft), options));
}

function note({ metadata }: Draft, entries: unknown): void {
  if (entries) metadata.managedFields = entries as Draft['metadata']['managedFields'];
  else delete metadata.managedFields;
}

/** The writer owns what it adds and changes; what it takes away belongs to nobody. */
export function ownOnUpdate(
  engine: Engine,
  ctx: RequestContext,
  resource: ServedResource,
  subresource: string,
  before: DeepReadonly<ApiObject>,
  draft: Draft,
): void | Promise<void> {
  const options = { manager: ctx.fieldManager, nowMs: engine.clock.now() };
  const entries = owning(ctx, resource, subresource, (manager) =>
    manager.update(inVersion(resource, before), inVersion(resource, draft), options),
  );
  return entries instanceof Promise ? entries.then((told) => note(draft, told)) : note(draft, entries);
}

/** The one that keeps owners of a view (scale) upon an object, or of an action's body. */
export function formManager(
  engine: Engine,
  form: ObjectSubresource | ActionSubresource,
  subresource: string,
): FieldManager {
  let ofSchema = formManagers.get(engine.schema);
  if (!ofSchema) formManagers.set(engine.schema, (ofSchema = new WeakMap()));
  let manager = ofSchema.get(form);
  if (!manager) {
    const { gvk, type } = form;
    manager = new FieldManager({
      structures: structuresOf(engine.schema),
      type: { k: 'ref', name: type },
      apiVersion: apiVersionOf(gvk),
      kind: gvk.kind,
      subresource,
    });
    ofSchema.set(form, manager);
  }
  return manager;
}

/** The sender of an action's body (a TokenRequest) owns what it says, though nothing of it is stored. */
export function ownAction(
  engine: Engine,
  ctx: RequestContext,
  action: ActionSubresource,
  subresource: string,
  body: Draft,
): void {
  const manager = formManager(engine, action, subresource);
  const entries = manager.update(undefined, body, { manager: ctx.fieldManager, nowMs: engine.clock.now() });
  if (entries) body.metadata.managedFields = entries as Draft['metadata']['managedFields'];
}
