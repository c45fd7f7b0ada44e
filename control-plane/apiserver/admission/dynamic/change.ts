/** Takes over what a policy or webhook made of an object: from the version it was shown in to the one that is stored. */
import { assert } from '../../../../libs/base/assert.ts';
import type { AdmissionRequest } from '../../../../libs/kind/admission.ts';
import type { ApiObject } from '../../../../libs/kind/object.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import { decodeJson, stringify } from '../../../../libs/machinery/codec/json.ts';
import { applyDefaults } from '../../../../libs/machinery/schema/defaults.ts';
import type { SchemaSet } from '../../../../libs/machinery/schema/ir.ts';
import type { Form, Subject } from './subject.ts';

/**
 * Makes `changed`, an object of `form`, the request's object: unknown fields are dropped, defaults filled in. Throws
 * `DecodeError` where it does not fit the type.
 */
export async function takeOver(
  ctx: RequestContext,
  request: AdmissionRequest,
  subject: Subject,
  form: Form,
  changed: unknown,
  builtin: SchemaSet,
): Promise<void> {
  const text = stringify(changed);
  const { body, kind } = request;
  if (body) {
    const object = decodeJson<ApiObject>(builtin, body.type, text).object;
    const names = { kind: body.gvk.kind, apiVersion: apiVersionText(body.gvk) };
    const view = Object.assign(object, names);
    if (!body.write) request.object = view;
    else if (request.object) body.write(request.object, view as never);
    return;
  }
  const resource = subject.resourceOf(form);
  assert(resource, 'what a request is about is served');
  const { served, schema } = resource;
  const object = decodeJson<ApiObject>(schema, served.type, text).object;
  Object.assign(object, { kind: form.kind.kind, apiVersion: resource.apiVersion });
  await served.prepare?.toStorage?.(object, ctx.ends.signal);
  const stored = served.toStorage ? served.toStorage(object) : object;
  applyDefaults(schema, kind.storageVersion.type, stored);
  kind.strategy.defaults?.(stored);
  request.object = stored;
}

const apiVersionText = ({ group, version }: { readonly group: string; readonly version: string }) =>
  group === '' ? version : `${group}/${version}`;
