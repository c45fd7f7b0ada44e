import type { ActionSubresource, Kind, ObjectSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { apiVersionOf } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { FieldManager } from '../../../libs/machinery/apply/field-manager.ts';
import { Structures } from '../../../libs/machinery/apply/structure.ts';
import type { SchemaSet, TypeRef } from '../../../libs/machinery/schema/ir.ts';
import type { Engine } from './engine.ts';
import { type ServedResource, subresourceOf } from './kind-set.ts';
import type { Draft } from './metadata.ts';

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
export function fieldManagerOf(resource: ServedResource, subresource: string): FieldManager {
  const { kind, apiVersion, served, schema } = resource;
  let ofKind = managers.get(kind);
  if (!ofKind) managers.set(kind, (ofKind = new Map()));
  const key = `${apiVersion} ${subresource}`;
  let manager = ofKind.get(key);
  if (!manager) {
    const rules = subresource === '' ? kind.strategy : subresourceOf(kind, subresource);
    const resetFields =
      rules && 'form' in rules
        ? rules.form === 'status'
          ? rules.strategy.resetFields
          : undefined
        : rules?.resetFields;
    manager = new FieldManager({
      structures: structuresOf(schema),
      type: { k: 'ref', name: served.type },
      apiVersion,
      kind: kind.kind,
      subresource,
      ...(resetFields ? { resetFields } : {}),
      ...(versionsOf(kind).length > 1 ? { convert: converter(resource) } : {}),
    });
    ofKind.set(key, manager);
  }
  return manager;
}

const versionsOf = ({ versions, writtenVersions }: Kind) => writtenVersions ?? versions;

type Converted = { object: Readonly<Record<string, unknown>>; type: TypeRef };

/** From the resource's version to another of the same kind, by way of the stored one. */
function converter({
  kind,
  served,
}: ServedResource): (object: Readonly<Record<string, unknown>>, apiVersion: string) => Converted | undefined {
  return (object, apiVersion) => {
    const wanted = versionsOf(kind).find(
      (one) => apiVersionOf({ group: one.group ?? kind.group, version: one.version }) === apiVersion,
    );
    // What a webhook would convert is not known at once.
    if (!wanted || wanted.prepare) return undefined;
    const own = structuredClone(object) as ApiObject;
    const stored = served.toStorage ? served.toStorage(own) : own;
    const shown = wanted.fromStorage ? wanted.fromStorage(stored as DeepReadonly<ApiObject>) : stored;
    return {
      object: { ...shown, apiVersion } as Readonly<Record<string, unknown>>,
      type: { k: 'ref', name: wanted.type },
    };
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
  const entries = manager.update(undefined, inVersion(resource, draft), options);
  if (entries) draft.metadata.managedFields = entries as Draft['metadata']['managedFields'];
  else delete draft.metadata.managedFields;
}

/** The writer owns what it adds and changes; what it takes away belongs to nobody. */
export function ownOnUpdate(
  engine: Engine,
  ctx: RequestContext,
  resource: ServedResource,
  subresource: string,
  before: DeepReadonly<ApiObject>,
  draft: Draft,
): void {
  const manager = fieldManagerOf(resource, subresource);
  const options = { manager: ctx.fieldManager, nowMs: engine.clock.now() };
  const entries = manager.update(inVersion(resource, before), inVersion(resource, draft), options);
  if (entries) draft.metadata.managedFields = entries as Draft['metadata']['managedFields'];
  else delete draft.metadata.managedFields;
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
