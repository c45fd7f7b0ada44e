/**
 * From the bytes of a body to an object of the resource's version: media type, kind and version, strictness. Messages
 * are those that clients of Kubernetes see.
 */
import { builtinTypeOf } from '../../../api/schema/builtin.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { DecodeError, strictDecodingError } from '../../../libs/machinery/codec/errors.ts';
import {
  type Decoded,
  decodeJson,
  normalize,
  readText,
  readTypeMeta,
  stringify,
  textOf,
} from '../../../libs/machinery/codec/json.ts';
import { decodeProtobufBody, readEnvelope } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import { decodeYaml, yamlToJson } from '../../../libs/machinery/codec/yaml.ts';
import { badObject, badRequest, invalid, unsupportedMediaType } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { parseApiVersion } from '../../../libs/machinery/gvk.ts';
import type { SchemaSet, TypeName } from '../../../libs/machinery/schema/ir.ts';
import type { ApiRequestBody } from '../api.ts';
import { bodyMediaType, CONTENT_TYPES, type MediaType } from '../negotiation.ts';
import { ownParts, type Sharing, shareable } from './unchangeable.ts';

/** What a body must be. */
export interface ExpectedBody {
  readonly schema: SchemaSet;
  readonly type: TypeName;
  readonly kind: string;
  readonly apiVersion: string;
}

const SNIPPET_BYTES = 30;
const PROTOBUF_MAGIC_BYTES = 4;
const EMPTY = new Uint8Array();

/**
 * Decodes a body. The object's apiVersion and kind are set. Throws `ApiError`: 415 for an unknown media type, 400 for
 * what cannot be read, is of another kind or version, or, with strict field validation, has unknown or duplicate
 * fields; without, those become warnings. A body that is a value shares with `stored` what it may of what is the stored object's
 * own.
 */
export function decodeBody(
  ctx: RequestContext,
  body: ApiRequestBody | undefined,
  contentType: string | undefined,
  expected: ExpectedBody,
  stored?: { readonly object: DeepReadonly<ApiObject>; readonly sharing: Sharing },
): ApiObject {
  const media = bodyMediaType(contentType);
  if (!media) throw unsupportedMediaType(Object.values(CONTENT_TYPES));
  // Who wants to be told of every mistake goes the way of the text, which knows them all.
  if (body && 'value' in body && ctx.fieldValidation !== 'Strict') {
    const { value } = body;
    const names = checkKind(typeMetaOf(value), expected);
    const before = stored && shareable(value, stored.object, stored.sharing);
    const object = refused(names, expected, () => normalize<ApiObject>(expected.schema, expected.type, value, before));
    if (stored) ownParts(object, stored.object, stored.sharing);
    return Object.assign(object, names);
  }
  const bytes = bytesOf(body);
  const decoded = decodeBytes(bytes, media, expected);
  reportStrictness(ctx, decoded.errors, expected);
  return decoded.object;
}

function bytesOf(body: ApiRequestBody | undefined): Uint8Array {
  if (!body) return EMPTY;
  return 'value' in body ? new TextEncoder().encode(stringify(body.value)) : body.bytes;
}

function decodeBytes(bytes: Uint8Array, media: MediaType, expected: ExpectedBody): Decoded<ApiObject> {
  if (media === 'protobuf') {
    const envelope = unrecognized(bytes, expected, () => {
      if (bytes.length === PROTOBUF_MAGIC_BYTES) throw new DecodeError('empty body');
      return readEnvelope(bytes);
    });
    const names = checkKind(envelope, expected);
    const object = refused(names, expected, () =>
      decodeProtobufBody<ApiObject>(expected.schema, expected.type, envelope.raw),
    );
    return { object: Object.assign(object, names), errors: [] };
  }
  const text = readText(media === 'yaml' ? unrecognized(bytes, expected, () => yamlToJson(bytes).json) : bytes);
  const meta = unrecognized(bytes, expected, () => {
    const read = readTypeMeta(text);
    if (read.apiVersion.split('/', 3).length > 2)
      throw new DecodeError(`unexpected GroupVersion string: ${read.apiVersion}`);
    return read;
  });
  const custom = expected.schema.get(expected.type).custom === true;
  if (custom) checkCustomKind(meta, bytes, expected);
  const names = checkKind(custom ? { ...meta, kind: expected.kind } : meta, expected);
  const { schema, type } = expected;
  const decoded = refused(names, expected, () =>
    media === 'yaml'
      ? decodeYaml<ApiObject>(schema, type, bytes, { strict: true })
      : decodeJson<ApiObject>(schema, type, text, { strict: true }),
  );
  const object = Object.assign(decoded.object, names);
  if (custom && meta.kind !== expected.kind) {
    const wrong = field.invalid('kind', meta.kind, `must be ${expected.kind}`);
    const { group } = parseApiVersion(names.apiVersion);
    throw invalid({ group, kind: meta.kind }, object.metadata?.name ?? '', [wrong]);
  }
  return { object, errors: decoded.errors };
}

/** Bodies of custom resources say what they are; nothing is taken from the path. */
function checkCustomKind(meta: TypeMeta, bytes: Uint8Array, expected: ExpectedBody): void {
  if (meta.kind === '') {
    unrecognized(bytes, expected, () => {
      throw new DecodeError(`Object 'Kind' is missing in '${textOf(bytes)}'`);
    });
  }
  if (meta.apiVersion !== '') return;
  throw badRequest(`the API version in the data () does not match the expected API version (${expected.apiVersion})`);
}

interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

function typeMetaOf(value: unknown): TypeMeta {
  const { apiVersion, kind } = (value ?? {}) as Record<string, unknown>;
  return { apiVersion: typeof apiVersion === 'string' ? apiVersion : '', kind: typeof kind === 'string' ? kind : '' };
}

/** A body without kind or version is taken for what the path says; another one is refused. */
function checkKind(meta: TypeMeta, expected: ExpectedBody): TypeMeta {
  const apiVersion = meta.apiVersion || expected.apiVersion;
  const kind = meta.kind || expected.kind;
  if (apiVersion === expected.apiVersion && kind === expected.kind) return { apiVersion, kind };
  const { group, version } = parseApiVersion(apiVersion);
  const custom = expected.schema.get(expected.type).custom === true;
  if (custom ? kind === expected.kind && group !== 'meta.k8s.io' : isOtherVersion(group, version, kind, expected)) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    );
  }
  const known = builtinTypeOf(group, version, kind) !== undefined;
  const why = known
    ? `converting (${version}.${kind}) to (${internalPackage(expected)}.${expected.kind}): unknown conversion`
    : `no kind "${kind}" is registered for version "${apiVersion}" in scheme "pkg/api/legacyscheme/scheme.go:30"`;
  throw badRequest(`${kind} in version "${version}" cannot be handled as a ${expected.kind}: ${why}`);
}

/** Whether the data is of the same kind, in a version that is known and not the path's: that could be converted. */
function isOtherVersion(group: string, version: string, kind: string, expected: ExpectedBody): boolean {
  if (kind !== expected.kind) return false;
  if (builtinTypeOf(group, version, kind) !== undefined) return true;
  // Kinds had other versions once, some of them in a group of their own.
  return (
    /^v\d+(alpha|beta)\d+$/.test(version) && [parseApiVersion(expected.apiVersion).group, 'extensions'].includes(group)
  );
}

/** `core`, `apps`: how messages name where a group's kinds are. */
const internalPackage = ({ apiVersion }: ExpectedBody): string =>
  parseApiVersion(apiVersion).group.replace(/\..*/, '') || 'core';

function unrecognized<R>(bytes: Uint8Array, expected: ExpectedBody, read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): ${error.message} (${snippet(bytes)})`,
    );
  }
}

function refused<R>(meta: TypeMeta, expected: ExpectedBody, decode: () => R): R {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badObject(expected.kind, meta.apiVersion.split('/').at(-1) ?? '', error.message);
  }
}

/** Unknown and duplicate fields: an error, warnings, or nothing, as the request's field validation says. */
export function reportStrictness(ctx: RequestContext, errors: readonly string[], expected: ExpectedBody): void {
  if (errors.length === 0 || ctx.fieldValidation === 'Ignore') return;
  if (ctx.fieldValidation === 'Strict') {
    throw badObject(expected.kind, expected.apiVersion.split('/').at(-1) ?? '', strictDecodingError(errors));
  }
  for (const text of errors) ctx.warnings.add(text);
}

/** The beginning of a body, for messages: as text where it looks like JSON, in hex otherwise. */
function snippet(bytes: Uint8Array): string {
  const head = bytes.subarray(0, SNIPPET_BYTES);
  const text =
    bytes[0] === 0x7b
      ? new TextDecoder().decode(head)
      : Array.from(head, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > SNIPPET_BYTES ? `${text} ...` : text;
}
