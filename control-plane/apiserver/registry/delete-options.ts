import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { DecodeError } from '../../../libs/machinery/codec/errors.ts';
import { decodeJson, readTypeMeta } from '../../../libs/machinery/codec/json.ts';
import { decodeProtobufBody, readEnvelope } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import { yamlToJson } from '../../../libs/machinery/codec/yaml.ts';
import { badRequest, invalid, unsupportedMediaType } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { header } from '../headers.ts';
import { bodyMediaType, CONTENT_TYPES } from '../negotiation.ts';
import { dryRunErrors, parseInt64 } from '../options.ts';
import { isTrue } from '../router.ts';
import type { DeleteParameters } from './delete.ts';
import type { ResourceRequest } from './verbs.ts';

interface DeleteOptionsObject {
  apiVersion?: string;
  kind?: string;
  gracePeriodSeconds?: number | bigint;
  preconditions?: { uid?: string; resourceVersion?: string };
  orphanDependents?: boolean;
  propagationPolicy?: string;
  dryRun?: string[];
}

const TYPE = 'meta.v1.DeleteOptions';
const POLICIES = ['Foreground', 'Background', 'Orphan', 'nil'];

/** Reads the body of a DELETE, or, where there is none, its query. Throws `ApiError` 400, 415, 422. */
export function decodeDeleteOptions(r: ResourceRequest): { parameters: DeleteParameters; dryRun: boolean } {
  const options = bodyOptions(r) ?? queryOptions(r.query);
  const errors = optionErrors(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  const { gracePeriodSeconds: grace, preconditions, orphanDependents } = options;
  const policy =
    options.propagationPolicy ??
    (orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background');
  return {
    dryRun: (options.dryRun ?? []).length > 0,
    parameters: {
      ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
      ...(policy === undefined ? {} : { propagationPolicy: policy as DeleteParameters['propagationPolicy'] }),
      ...(preconditions ? { preconditions } : {}),
      options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', ...options } as DeleteParameters['options'],
    },
  };
}

function bodyOptions(r: ResourceRequest): DeleteOptionsObject | undefined {
  const { body } = r.request;
  if (body === undefined || ('bytes' in body && body.bytes.length === 0)) return undefined;
  if ('value' in body) return body.value as DeleteOptionsObject;
  const media = bodyMediaType(header(r.request, 'content-type'));
  if (!media) throw unsupportedMediaType(Object.values(CONTENT_TYPES));
  const { schema } = r.engine;
  try {
    if (media === 'protobuf') {
      const envelope = readEnvelope(body.bytes);
      checkKind(envelope);
      return decodeProtobufBody<DeleteOptionsObject>(schema, TYPE, envelope.raw);
    }
    const text = media === 'yaml' ? yamlToJson(body.bytes).json : body.bytes;
    checkKind(readTypeMeta(text));
    return decodeJson<DeleteOptionsObject>(schema, TYPE, text).object;
  } catch (error) {
    throw error instanceof DecodeError ? badRequest(error.message) : error;
  }
}

function checkKind(meta: { apiVersion: string; kind: string }): void {
  if (meta.kind === '' || meta.kind === 'DeleteOptions') return;
  throw badRequest(
    `no kind "${meta.kind}" is registered for version "${meta.apiVersion}" in scheme "pkg/apis/meta/internalversion/scheme/register.go:27"`,
  );
}

function queryOptions(query: URLSearchParams): DeleteOptionsObject {
  const grace = parseInt64(query.get('gracePeriodSeconds'));
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(query.has('orphanDependents') ? { orphanDependents: isTrue(query.get('orphanDependents')) } : {}),
    ...(query.get('propagationPolicy') ? { propagationPolicy: query.get('propagationPolicy') as string } : {}),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  };
}

function optionErrors(options: DeepReadonly<DeleteOptionsObject>): field.ErrorList {
  const { propagationPolicy: policy, orphanDependents } = options;
  const at = field.path('propagationPolicy');
  const errors: field.ErrorList = [];
  if (policy !== undefined && orphanDependents !== undefined) {
    errors.push(field.invalid(at, policy, 'orphanDependents and deletionPropagation cannot be both set'));
  }
  if (policy !== undefined && !POLICIES.slice(0, 3).includes(policy))
    errors.push(field.notSupported(at, policy, POLICIES));
  errors.push(...dryRunErrors(options.dryRun ?? []));
  return errors;
}
