import type { ApiObject } from '../../../libs/kind/object.ts';
import { DecodeError } from '../../../libs/machinery/codec/errors.ts';
import { decodeAny, decodeJson, stringify } from '../../../libs/machinery/codec/json.ts';
import { yamlToJson } from '../../../libs/machinery/codec/yaml.ts';
import { badRequest, unclassified } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import type { ExpectedBody } from './body.ts';
import { fromStorage } from './engine.ts';
import { owning } from './managed-fields.ts';
import { presentObject } from './read.ts';
import { rulesOf } from './rules.ts';
import { changeObject } from './update.ts';
import { nameMustMatch, type ResourceRequest, writing } from './verbs.ts';

/**
 * PATCH with `application/apply-patch+yaml`: server-side apply. Creates what is not there (201), merges what is (200).
 * Throws `ApiError`: 400 malformed, 409 conflicts with other managers, 422 invalid, 500 for a configuration that does not
 * fit its type (as upstream has it).
 */
export async function applyConfiguration(r: ResourceRequest, expected: ExpectedBody): Promise<ApiResponse> {
  const { resource, name } = r.target;
  const { ctx, parameters, options } = writing(r, 'PatchOptions', true);
  const repeated: string[] = [];
  const configuration = readConfiguration(r, repeated);
  const changed = await changeObject(r.engine, ctx, r.target, {
    subresource: r.subresource,
    rules: rulesOf(resource.kind, r.subresource),
    createIfMissing: r.subresource === '',
    retry: true,
    options,
    async next(old) {
      const live = old && fromStorage(resource, old.object());
      const by = { manager: ctx.fieldManager, force: parameters.force, nowMs: r.engine.clock.now() };
      const applied = await owning(ctx, resource, r.subresource, (manager) => manager.apply(live, configuration, by));
      // Conflicts come before mistakes in the writing.
      if (repeated.length > 0 && ctx.fieldValidation === 'Strict')
        throw badRequest(`error strict decoding YAML: ${repeated.join(', ')}`);
      if (ctx.fieldValidation === 'Warn') for (const text of repeated) ctx.warnings.add(text);
      const object = decodeMerged(applied.object, expected);
      object.metadata ??= {};
      if (applied.managedFields)
        object.metadata.managedFields = applied.managedFields as NonNullable<ApiObject['metadata']>['managedFields'];
      else delete object.metadata.managedFields;
      nameMustMatch(object, name);
      return { object, owned: true };
    },
  });
  return presentObject(r, changed.encoded, changed.created ? 201 : 200);
}

/** The body of an apply: any YAML object. Keys that it has twice are added to `repeated`. */
export function readConfiguration(r: ResourceRequest, repeated: string[] = []): ApiObject {
  const { body } = r.request;
  if (body && 'value' in body) return body.value as ApiObject;
  let value: unknown;
  try {
    const { json, duplicates } = yamlToJson(body?.bytes ?? new Uint8Array());
    repeated.push(...duplicates);
    value = decodeAny(json);
  } catch (error) {
    throw error instanceof DecodeError
      ? badRequest(`error decoding YAML: error converting YAML to JSON: ${error.message}`)
      : error;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (value === null) throw badRequest('invalid object type: /, Kind=');
    const type = Array.isArray(value) ? 'array' : typeof value;
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${type} into Go value of type map[string]interface {}`,
    );
  }
  return value as ApiObject;
}

/** What an apply has merged, in the canonical form of its type. */
export function decodeMerged(object: unknown, expected: ExpectedBody): ApiObject {
  try {
    return decodeJson<ApiObject>(expected.schema, expected.type, stringify(object)).object;
  } catch (error) {
    throw error instanceof DecodeError ? unclassified(`failed to create typed patch object: ${error.message}`) : error;
  }
}
