import { assert } from '../../../libs/base/assert.ts';
import type { ObjectSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { invalid } from '../../../libs/machinery/errors.ts';
import type { Encoded } from '../cache/encoded.ts';
import { header } from '../headers.ts';
import { decodeBody } from './body.ts';
import { fromStorage } from './engine.ts';
import { patcherOf } from './patch.ts';
import { changeObject } from './update.ts';
import { nameMustMatch, type ResourceRequest, writing } from './verbs.ts';

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

/** PUT and PATCH of a view: the submitted view is checked, then written into the object. Gives the changed object. */
export async function updateView(r: ResourceRequest, view: ObjectSubresource): Promise<Encoded> {
  const { kind, group, version } = view.gvk;
  const apiVersion = group ? `${group}/${version}` : version;
  const expected = { schema: r.engine.schema, type: view.type, kind, apiVersion };
  const patching = r.route.attributes.verb === 'patch';
  const patcher = patching ? patcherOf(r, expected) : undefined;
  const { ctx, options } = patcher ?? writing(r, 'UpdateOptions');
  const submitted = patcher ? undefined : decodeBody(ctx, r.request.body, header(r.request, 'content-type'), expected);
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
      const next = patcher ? patcher.apply(viewOf(view, old.object())) : (submitted as ApiObject);
      const errors = view.validate(next as DeepReadonly<ApiObject>);
      if (errors.length > 0) throw invalid(view.gvk, r.target.name, errors);
      const draft = structuredClone(fromStorage(r.target.resource, old.object())) as ApiObject;
      view.write(draft, next as DeepReadonly<ApiObject>);
      // A view without a version is written into whatever version there is.
      draft.metadata = { ...draft.metadata, resourceVersion: next.metadata?.resourceVersion || String(old.revision) };
      if (next.metadata?.uid) draft.metadata.uid = next.metadata.uid;
      return { object: draft };
    },
  });
  return changed.encoded;
}
