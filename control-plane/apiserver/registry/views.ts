import type { Scale } from '../../../api/types/autoscaling/v1.generated.ts';
import { assert } from '../../../libs/base/assert.ts';
import type { Column } from '../../../libs/kind/column.ts';
import type { ObjectSubresource } from '../../../libs/kind/kind.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ManagedFieldsEntry } from '../../../libs/machinery/apply/managed-fields.ts';
import {
  parentManagedFields,
  type ScaleOwnershipOptions,
  scaleManagedFields,
} from '../../../libs/machinery/apply/scale.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { invalid } from '../../../libs/machinery/errors.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import type { ApiResponse } from '../api.ts';
import type { Encoded } from '../cache/encoded.ts';
import { partialMetadata } from '../cache/object-writer.ts';
import { tableOf } from '../cache/table.ts';
import { header } from '../headers.ts';
import { patchMediaType } from '../negotiation.ts';
import { respond, wholeBody } from '../responses.ts';
import { decodeMerged, readConfiguration } from './apply.ts';
import { decodeBody } from './body.ts';
import { fromStorage } from './engine.ts';
import { KindSet, type ServedResource } from './kind-set.ts';
import { formManager } from './managed-fields.ts';
import { patcherOf } from './patch.ts';
import { includeObjectOf } from './read.ts';
import { changeObject } from './update.ts';
import { nameMustMatch, type ResourceRequest, writing } from './verbs.ts';
import { writtenVersionsOf } from './written-versions.ts';

/** What a view (scale) shows of an object: its own kind, and the part of the metadata that says which object it is. */
export function viewOf(view: ObjectSubresource, object: DeepReadonly<ApiObject>): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const { kind, group, version } = view.gvk;
  return {
    kind,
    apiVersion: group ? `${group}/${version}` : version,
    metadata: { name, ...(namespace ? { namespace } : {}), uid, resourceVersion, creationTimestamp },
    ...view.view(object),
  };
}

/** How a view tells who owns what it shows: whoever owns the same in the object, whichever way it was written. */
function ownership({ kind, apiVersion }: ServedResource, view: ObjectSubresource): ScaleOwnershipOptions {
  const path = view.ownedPaths[0]?.join('.');
  const versions = writtenVersionsOf(kind).map(({ group = kind.group, version }) => apiVersionOf({ group, version }));
  return { apiVersion, paths: Object.fromEntries(versions.map((version) => [version, path])) };
}

/** Columns of a view: the numbers that it is about. */
const COLUMNS: readonly Column<ApiObject & Scale>[] = [
  { ...(nameColumn as Column<ApiObject & Scale>), format: '' },
  {
    name: 'Desired',
    type: 'integer',
    description: { type: 'autoscaling.v1.ScaleSpec', field: 'replicas' },
    value: ({ spec }) => spec?.replicas ?? 0,
  },
  {
    name: 'Available',
    type: 'integer',
    description: { type: 'autoscaling.v1.ScaleStatus', field: 'replicas' },
    value: ({ status }) => status?.replicas ?? 0,
  },
  ageColumn as Column<ApiObject & Scale>,
];

/** Tables of custom resources name their first column and know that the last is a time; views upon them do too. */
const CUSTOM_COLUMNS: readonly Column<ApiObject & Scale>[] = COLUMNS.map((column) =>
  column.name === 'Name' ? { ...column, format: 'name' } : column.name === 'Age' ? { ...column, type: 'date' } : column,
);

/** A view as the answer. */
export function viewResponse(r: ResourceRequest, view: ObjectSubresource, encoded: Encoded): ApiResponse {
  const shown = deepFreeze(viewOf(view, encoded.object()));
  const { as, asVersion } = r.form;
  const { clock, schema, caches } = r.engine;
  const warnings = r.ctx.warnings.all;
  if (as === 'object') return respond(200, wholeBody({ value: shown, type: view.type, schema }, r.form), warnings);
  if (as === 'metadata') return respond(200, wholeBody({ value: partialMetadata(shown, asVersion) }, r.form), warnings);
  const columns = (KindSet.isCustom(r.target.resource) ? CUSTOM_COLUMNS : COLUMNS) as readonly Column[];
  const table = tableOf({ columns }, [{ stored: shown, shown }], {
    asVersion,
    includeObject: includeObjectOf(r) || 'Metadata',
    columns: true,
    nowMs: clock.now(),
    metadata: { resourceVersion: shown.metadata?.resourceVersion ?? '' },
    ...(caches.documentation ? { documentation: caches.documentation } : {}),
  });
  return respond(200, wholeBody({ value: table }, r.form), warnings);
}

/** The view, or no more than its metadata where the object says too little for one: a PUT brings the rest. */
function viewOrBare(view: ObjectSubresource, object: DeepReadonly<ApiObject>): ApiObject {
  try {
    return viewOf(view, object);
  } catch {
    return viewOf({ ...view, view: () => ({}) }, object);
  }
}

/** PUT and PATCH of a view: the submitted view is checked, then written into the object. Gives the changed object. */
export async function updateView(r: ResourceRequest, view: ObjectSubresource): Promise<Encoded> {
  const { kind, group, version } = view.gvk;
  const apiVersion = group ? `${group}/${version}` : version;
  const expected = { schema: r.engine.schema, type: view.type, kind, apiVersion };
  const patching = r.route.attributes.verb === 'patch';
  const applying = patching && patchMediaType(header(r.request, 'content-type')) === 'apply';
  const patcher = patching && !applying ? patcherOf(r, expected) : undefined;
  const { ctx, parameters, options } = patcher
    ? { ...patcher, parameters: undefined }
    : writing(r, applying ? 'PatchOptions' : 'UpdateOptions', applying);
  const configuration = applying ? readConfiguration(r) : undefined;
  const submitted = patching ? undefined : decodeBody(ctx, r.request.body, header(r.request, 'content-type'), expected);
  if (submitted) nameMustMatch(submitted, r.target.name);

  const changed = await changeObject(r.engine, ctx, r.target, {
    subresource: r.subresource,
    rules: r.target.resource.kind.strategy,
    createIfMissing: false,
    retry: !submitted?.metadata?.resourceVersion,
    options,
    body: {
      gvk: view.gvk,
      type: view.type,
      show: (object) => viewOf(view, object),
      write: (object, changed) => view.write(object, changed),
    },
    next(old) {
      assert(old, 'a view is of something that is there');
      const owners = ownership(r.target.resource, view);
      const parent = old.object().metadata?.managedFields as ManagedFieldsEntry[] | undefined;
      const live = submitted ? viewOrBare(view, old.object()) : viewOf(view, old.object());
      const managedFields = scaleManagedFields(parent, owners);
      if (managedFields) Object.assign(live.metadata ?? {}, { managedFields });
      const by = { manager: ctx.fieldManager, nowMs: r.engine.clock.now() };
      const manager = formManager(r.engine, view, r.subresource);
      const applied = configuration && manager.apply(live, configuration, { ...by, force: parameters?.force ?? false });
      const next = applied
        ? decodeMerged(applied.object, expected)
        : patcher
          ? patcher.apply(live)
          : (submitted as ApiObject);
      const entries = applied ? applied.managedFields : manager.update(live, next, by);
      const errors = view.validate(next as DeepReadonly<ApiObject>);
      if (errors.length > 0) throw invalid(view.gvk, r.target.name, errors);
      const draft = copyValue(fromStorage(r.target.resource, old.object())) as ApiObject;
      view.write(draft, next as DeepReadonly<ApiObject>);
      // A view without a version is written into whatever version there is.
      draft.metadata = { ...draft.metadata, resourceVersion: next.metadata?.resourceVersion || String(old.revision) };
      if (next.metadata?.uid) draft.metadata.uid = next.metadata.uid;
      const after = parentManagedFields(parent, entries, owners);
      if (after) Object.assign(draft.metadata, { managedFields: after });
      else delete draft.metadata.managedFields;
      return { object: draft, owned: true };
    },
  });
  return changed.encoded;
}
