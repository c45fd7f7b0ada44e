import { assert } from '../../../libs/base/assert.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { DecodeError, strictDecodingError } from '../../../libs/machinery/codec/errors.ts';
import { decodeAny, decodeJson, decodeValue, stringify } from '../../../libs/machinery/codec/json.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import {
  badRequest,
  invalid,
  unprocessable,
  unsupportedMediaType,
  unsupportedPatch,
} from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { applyJsonPatch, JsonPatchError, jsonPatchOf } from '../../../libs/machinery/patch/json-patch.ts';
import { applyMergePatch, mergePatchOf } from '../../../libs/machinery/patch/merge-patch.ts';
import { StrategicMerge, strategicPatchOf } from '../../../libs/machinery/patch/strategic-merge.ts';
import { sortedJson } from '../../../libs/machinery/quote.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import type { ApiResponse } from '../api.ts';
import { header } from '../headers.ts';
import { type PatchMediaType, patchMediaType } from '../negotiation.ts';
import { applyConfiguration } from './apply.ts';
import { type ExpectedBody, reportStrictness } from './body.ts';
import { fromStorage } from './engine.ts';
import { presentObject } from './read.ts';
import { rulesOf } from './rules.ts';
import { ownParts, type Sharing, shareable, sharingOf } from './unchangeable.ts';
import { changeObject } from './update.ts';
import { nameMustMatch, type ResourceRequest, writing } from './verbs.ts';

/** A patch that has been read: makes the next object out of the present one. */
export interface Patcher {
  readonly ctx: RequestContext;
  readonly options: ApiObject;
  /** The patched object: decoded, in canonical form, the caller's own. `current` is not changed. */
  apply(current: DeepReadonly<ApiObject>): ApiObject;
}

/** What custom resources take; strategic merge patches need what only built-in types say. */
const CUSTOM_PATCHES = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];

type Merge = (current: ApiObject) => unknown;

/** They keep what they looked up in a schema, and are forgotten with it. */
const strategics = new WeakMap<SchemaSet, StrategicMerge>();

function strategicOf(schema: SchemaSet): StrategicMerge {
  let found = strategics.get(schema);
  if (!found) strategics.set(schema, (found = new StrategicMerge(schema)));
  return found;
}

/** PATCH of an object, or of the part of it that a status-like subresource opens. */
export async function patchObject(r: ResourceRequest): Promise<ApiResponse> {
  const { resource } = r.target;
  const expected = {
    schema: resource.schema,
    type: resource.served.type,
    kind: resource.kind.kind,
    apiVersion: resource.apiVersion,
  };
  if (patchMediaType(header(r.request, 'content-type')) === 'apply') return applyConfiguration(r, expected);
  const rules = rulesOf(resource.kind, r.subresource);
  const patcher = patcherOf(r, expected, sharingOf(resource, r.subresource, rules));
  const changed = await changeObject(r.engine, patcher.ctx, r.target, {
    subresource: r.subresource,
    rules,
    createIfMissing: false,
    retry: true,
    options: patcher.options,
    next(old) {
      assert(old, 'a patch is of something that is there');
      return { object: patcher.apply(fromStorage(resource, old.object())) };
    },
  });
  return presentObject(r, changed.encoded, 200);
}

/**
 * Reads a JSON, merge or strategic merge patch. Throws `ApiError`: 415 for another media type, 400 for a malformed one.
 * What the patch leaves as it is the patched object shares with the present one, as far as `sharing` lets it.
 */
export function patcherOf(r: ResourceRequest, expected: ExpectedBody, sharing?: Sharing): Patcher {
  const media = patchMediaType(header(r.request, 'content-type'));
  if (media === undefined || media === 'apply') throw unsupportedPatch();
  if (media === 'strategic' && expected.schema.get(expected.type).custom) throw unsupportedMediaType(CUSTOM_PATCHES);
  const { ctx, options } = writing(r, 'PatchOptions');
  const body = readPatch(r, media);
  const merge = mergeOf(media, body, expected);
  const oddities = ctx.fieldValidation === 'Ignore' ? [] : odditiesOf(r, media, body, expected);
  return {
    ctx,
    options,
    apply(current) {
      // Merges make anew what they change; what operations are given they change.
      const next = merge(media === 'json' ? (copyValue(current) as ApiObject) : (current as ApiObject));
      // A strategic merge patch is told as it was sent, any other by what came of it.
      const shown = () => (media === 'strategic' ? goText(body) : textOf(next, expected));
      const decoded = decodePatched(next, current, expected, shown, media, sharing);
      const errors = [...oddities, ...decoded.errors];
      if (ctx.fieldValidation === 'Strict' && errors.length > 0)
        throw invalidPatch(shown(), strictDecodingError(errors));
      reportStrictness(ctx, errors, expected);
      const object = decoded.object;
      const { apiVersion, kind } = expected;
      const renamed = (object.kind && object.kind !== kind) || (object.apiVersion && object.apiVersion !== apiVersion);
      // A strategic merge patch is upon fields, of which an object's kind is none.
      if (renamed && media !== 'strategic') {
        const why = `unable to decode ${object.apiVersion}, Kind=${object.kind} into ${apiVersion}, Kind=${kind}`;
        throw invalidPatch(textOf(next, expected), why);
      }
      Object.assign(object, { apiVersion, kind });
      nameMustMatch(object, r.target.name);
      return object;
    },
  };
}

function readPatch(r: ResourceRequest, media: PatchMediaType): unknown {
  const { body } = r.request;
  if (body && 'value' in body) return body.value;
  try {
    return decodeAny(body?.bytes ?? new Uint8Array());
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(media === 'strategic' ? error.message : `error decoding patch: ${error.message}`);
  }
}

function mergeOf(media: Exclude<PatchMediaType, 'apply'>, body: unknown, expected: ExpectedBody): Merge {
  switch (media) {
    case 'json': {
      const operations = jsonPatchOf(body);
      return (current) => {
        try {
          return applyJsonPatch(current, operations);
        } catch (error) {
          throw error instanceof JsonPatchError ? unprocessable() : error;
        }
      };
    }
    case 'merge': {
      const patch = mergePatchOf(body);
      return (current) => applyMergePatch(current, patch);
    }
    case 'strategic': {
      const patch = strategicPatchOf(body);
      const strategic = strategicOf(expected.schema);
      return (current) => strategic.apply({ k: 'ref', name: expected.type }, current as Record<string, unknown>, patch);
    }
  }
}

/** The patched value as an object of its type; one that does not fit is 422 and shown whole, as upstream does. */
function decodePatched(
  value: unknown,
  current: DeepReadonly<ApiObject>,
  expected: ExpectedBody,
  shown: () => string,
  media: PatchMediaType,
  sharing: Sharing | undefined,
) {
  const [changed, kept] = changedParts(value, current, expected);
  const { schema, type } = expected;
  try {
    // Operations may nest an object deeper and deeper; only a text is looked at for that.
    const decoded =
      media === 'json'
        ? decodeJson<ApiObject>(schema, type, stringify(changed), { strict: true })
        : decodeValue<ApiObject>(
            schema,
            type,
            changed,
            { strict: true },
            sharing && shareable(changed, current, sharing),
          );
    const object = Object.assign(decoded.object, sharing ? kept : copyValue(kept));
    if (sharing) ownParts(object, current, sharing);
    return decoded;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const type = media === 'strategic' ? /of type (\S+)$/.exec(error.message)?.[1] : undefined;
    throw invalidPatch(shown(), type === undefined ? error.message : `unrecognized type: ${type}`);
  }
}

/**
 * A patched value in two: what has to be decoded, and the parts of the present object that the patch has not touched, which
 * were decoded when it was read. Custom resources are decoded whole: their schema may have changed since.
 */
function changedParts(
  value: unknown,
  current: DeepReadonly<ApiObject>,
  expected: ExpectedBody,
): [changed: unknown, kept: object] {
  if (typeof value !== 'object' || value === null || expected.schema.get(expected.type).custom) return [value, {}];
  const changed: Record<string, unknown> = {};
  const kept: Record<string, unknown> = {};
  for (const name in value) {
    const part = (value as Record<string, unknown>)[name];
    const isKept = typeof part === 'object' && part === (current as Record<string, unknown>)[name];
    (isKept ? kept : changed)[name] = part;
  }
  return [changed, kept];
}

/** What is odd about a patch itself, whatever it makes of the object: members that mean nothing, and the same one twice. */
function odditiesOf(r: ResourceRequest, media: PatchMediaType, body: unknown, expected: ExpectedBody): string[] {
  if (media === 'json') {
    const known = ['op', 'path', 'from', 'value'];
    return (Array.isArray(body) ? body : []).flatMap((operation, i) =>
      Object.keys(operation ?? {})
        .filter((name) => !known.includes(name))
        .map((name) => `json patch unknown field "[${i}].${name}"`),
    );
  }
  const sent = r.request.body;
  if (media !== 'merge' || !sent || 'value' in sent) return [];
  try {
    const { errors } = decodeJson(expected.schema, expected.type, sent.bytes, { strict: true });
    return errors.filter((text) => text.startsWith('duplicate field'));
  } catch {
    // A patch need not fit the type: what comes of it must.
    return [];
  }
}

/** A value as upstream's messages print it: `map[a:[b c] d:1]`. */
function goText(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, member]) => `${key}:${goText(member)}`).join(' ')}]`;
}

/** A patched object as messages show it: custom resources are maps to upstream, whose keys are sorted. */
const textOf = (patched: unknown, expected: ExpectedBody): string =>
  expected.schema.get(expected.type).custom ? sortedJson(patched) : stringify(patched);

const invalidPatch = (patched: string, why: string) =>
  invalid({ group: '', kind: '' }, '', [field.invalid('patch', patched, why)]);
