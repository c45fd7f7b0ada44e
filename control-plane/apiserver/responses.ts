import { stringify } from '../../libs/machinery/codec/json.ts';
import { encodeProtobuf } from '../../libs/machinery/codec/protobuf/protobuf.ts';
import { encodeYaml } from '../../libs/machinery/codec/yaml.ts';
import { type Status, statusOf } from '../../libs/machinery/errors.ts';
import type { SchemaSet, TypeName } from '../../libs/machinery/schema/ir.ts';
import type { ApiResponse, WholeBody } from './api.ts';
import { CONTENT_TYPES, type Representation } from './negotiation.ts';

const encoder = new TextEncoder();

/** How a JSON value that is no cached object is written: Status, Scale, discovery, lists of computed things. */
export interface Writable {
  readonly value: unknown;
  /** Its type and where that stands, for protobuf; without one only JSON and YAML can be written. */
  readonly type?: TypeName;
  readonly schema?: SchemaSet;
}

export const PLAIN_JSON: Representation = Object.freeze({
  media: 'json',
  as: 'object',
  asVersion: 'v1',
  pretty: false,
});

export function wholeBody(content: Writable, form: Representation = PLAIN_JSON): WholeBody {
  return {
    form: 'whole',
    contentType: CONTENT_TYPES[form.media === 'protobuf' && !content.type ? 'json' : form.media],
    value: () => content.value,
    bytes: () => [writeValue(content, form)],
  };
}

function writeValue(content: Writable, form: Representation): Uint8Array {
  const { value, type, schema } = content;
  if (form.media === 'yaml') return encoder.encode(encodeYaml(value));
  if (form.media === 'protobuf' && type && schema) return encodeProtobuf(schema, type, value as object);
  return encoder.encode(form.pretty ? prettyText(value) : stringify(value));
}

/** Spread over lines for people (`pretty=true`). */
export function prettyText(value: unknown): string {
  const raw = (member: bigint) => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(member));
  const text = JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? raw(member) : member), 2);
  return `${text.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

export function respond(
  code: number,
  body: WholeBody,
  warnings: readonly string[] = [],
  headers: Readonly<Record<string, string>> = {},
): ApiResponse {
  return { code, headers, warnings, body };
}

export function textResponse(code: number, text: string, contentType = 'text/plain; charset=utf-8'): ApiResponse {
  return respond(code, {
    form: 'whole',
    contentType,
    value: () => text,
    bytes: () => [encoder.encode(text)],
  });
}

/** The answer to a request that failed, in the form the client wanted where a Status can be written so. */
export function errorResponse(
  error: unknown,
  form: Representation,
  schema: SchemaSet,
  warnings: readonly string[] = [],
): ApiResponse {
  const status = statusOf(error);
  const headers: Record<string, string> = {};
  const retryAfterSeconds = status.details?.retryAfterSeconds;
  if (retryAfterSeconds) headers['retry-after'] = String(retryAfterSeconds);
  return statusResponse(status, form, schema, warnings, headers);
}

export function statusResponse(
  status: Status,
  form: Representation,
  schema: SchemaSet,
  warnings: readonly string[] = [],
  headers: Readonly<Record<string, string>> = {},
): ApiResponse {
  const content = { value: status, type: 'meta.v1.Status', schema };
  return respond(status.code ?? 200, wholeBody(content, { ...form, as: 'object' }), warnings, headers);
}
