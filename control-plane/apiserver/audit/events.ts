import { builtinSchema, builtinTypeOf } from '../../../api/schema/builtin.ts';
import { formatMicroTime } from '../../../libs/base/clock.ts';
import type { UserInfo } from '../../../libs/kind/request.ts';
import { decodeProtobuf } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import { yamlToJson } from '../../../libs/machinery/codec/yaml.ts';
import type { ApiRequest } from '../api.ts';
import { header } from '../headers.ts';
import type { AuditRecord } from '../server.ts';
import { type AuditLevel, type AuditPolicy, type AuditStage, decide } from './policy.ts';

const OBJECT_BYTES_MAX = 1024 * 1024;

/**
 * Makes `audit.k8s.io/v1` events out of what the server tells of its requests, as the policy wants them, one line of JSON
 * each. What is in a request or an answer is told only at the levels that say so: at `Metadata` no object is looked at.
 */
export function auditLines(policy: AuditPolicy, write: (line: string) => void): (record: AuditRecord) => void {
  return (record) => {
    const { ctx, stage, authenticated } = record;
    const { level, omitStages, omitManagedFields } = decide(policy, authenticated, ctx.attributes);
    if (level !== 'None' && !omitStages.has(stage)) write(line(record, level, stage, omitManagedFields));
  };
}

function line(record: AuditRecord, level: AuditLevel, stage: AuditStage, omitManagedFields: boolean): string {
  const { ctx, id, authenticated, request, response, code, timeMs, failure } = record;
  const { attributes } = ctx;
  // Of somebody whom nobody knows, nothing was read.
  const isKnown = authenticated.name !== '';
  const bodies = isKnown && (level === 'Request' || level === 'RequestResponse');
  const clean = (value: unknown) => (omitManagedFields ? withoutManagedFields(value) : value);
  const annotations = { ...ctx.audit.all };
  const event = {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level,
    auditID: header(request, 'audit-id') ?? id(),
    stage,
    requestURI: request.query === '' ? request.path : `${request.path}?${request.query}`,
    verb: attributes.verb,
    user: userOf(authenticated),
    ...(ctx.user === authenticated ? {} : { impersonatedUser: userOf(ctx.user) }),
    sourceIPs: request.peer.address === '' ? ['::1'] : [request.peer.address],
    userAgent: header(request, 'user-agent'),
    ...(attributes.isResourceRequest ? { objectRef: objectRef(record) } : {}),
    ...(code === undefined ? {} : { responseStatus: { metadata: {}, ...wordsOf(failure ?? response), code } }),
    ...(bodies && attributes.isResourceRequest ? present('requestObject', clean(requestObject(request))) : {}),
    ...(bodies && level === 'RequestResponse' && attributes.isResourceRequest
      ? present(
          'responseObject',
          clean(failure ?? (response?.body.form === 'whole' ? response.body.value() : undefined)),
        )
      : {}),
    requestReceivedTimestamp: formatMicroTime(ctx.nowMs),
    stageTimestamp: formatMicroTime(timeMs),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
  return JSON.stringify(event, (_key, value) => (typeof value === 'bigint' ? Number(value) : value));
}

const userOf = ({ name, uid, groups, extra }: UserInfo) => ({
  ...(name ? { username: name } : {}),
  ...(uid ? { uid } : {}),
  ...(groups.length > 0 ? { groups } : {}),
  ...(Object.keys(extra).length > 0 ? { extra } : {}),
});

const present = (name: string, value: unknown) => (value === undefined ? {} : { [name]: value });

function objectRef({ ctx: { attributes } }: AuditRecord) {
  const { resource, namespace, name, group, version, subresource } = attributes;
  const all = { resource, namespace, name, apiGroup: group, apiVersion: version, subresource };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}

/** What a Status says: its words alone, never an object. */
function wordsOf(answer: AuditRecord['response'] | AuditRecord['failure']): object {
  const value = answer && 'body' in answer ? (answer.body.form === 'whole' ? answer.body.value() : undefined) : answer;
  const { kind, status, message, reason } = (value ?? {}) as Record<string, unknown>;
  if (kind !== 'Status') return {};
  return { ...present('status', status), ...present('message', message), ...present('reason', reason) };
}

function requestObject(request: ApiRequest): unknown {
  const { body } = request;
  if (!body) return undefined;
  if ('value' in body) return body.value;
  const { bytes } = body;
  if (bytes.length > OBJECT_BYTES_MAX) return undefined;
  const type = header(request, 'content-type') ?? '';
  try {
    if (type.includes('protobuf')) return decodeProtobuf(builtinSchema(), builtinTypeOf, bytes).object;
    return JSON.parse(type.includes('yaml') ? yamlToJson(bytes).json : new TextDecoder().decode(bytes));
  } catch {
    // What cannot be read is refused, and the refusal is told.
    return undefined;
  }
}

function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { metadata, items } = value as { metadata?: object; items?: unknown };
  return {
    ...value,
    ...(metadata ? { metadata: { ...metadata, managedFields: undefined } } : {}),
    ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}),
  };
}
