/**
 * The catalogue of API errors: every refusal that a client can see, with its HTTP code, reason and message form, in one
 * place. An `ApiError` carries the `Status` that is sent; `details` name resource and object, as clients read them.
 *
 *     throw errors.notFound({ group: 'apps', resource: 'deployments' }, 'web');
 *     // 404 NotFound: deployments.apps "web" not found
 *
 * Throw these for what the client should see. An error of another class is a fault of the server: `statusOf` turns it
 * into a 500 with its message and no reason, as upstream does.
 */
import { aggregate, bodyOf, type ErrorList } from './field-errors.ts';
import { formatGroupKind, formatGroupResource, type GroupKind, type GroupResource } from './gvk.ts';
import { quote } from './quote.ts';

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  /** The kind in 422s, the resource in most others. */
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** `meta.v1.Status`. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string; remainingItemCount?: number; resourceVersion?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: StatusReason;
  details?: StatusDetails;
  /** Every failure has one; a success does not say it. */
  code?: number;
}

export type StatusReason =
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Invalid'
  | 'ServerTimeout'
  | 'StoreReadError'
  | 'Timeout'
  | 'TooManyRequests'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'InternalError'
  | 'Expired'
  | 'ServiceUnavailable'
  | (string & {});

/** A failure with the Status that tells the client. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message, options);
    this.status = status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  /** Empty where the Status has none. */
  get reason(): StatusReason {
    return this.status.reason ?? '';
  }
}

/** A Status of a failure; absent parts are left out. */
export function failure(
  code: number,
  reason: StatusReason | undefined,
  message: string | undefined,
  details?: StatusDetails,
): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    ...(message === undefined ? {} : { message }),
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  };
}

/** The Status of a success (the answer to most deletions). */
export function success(details?: StatusDetails): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details ? { details } : {}),
  };
}

const make = (code: number, reason: StatusReason | undefined, message: string, details?: StatusDetails): ApiError =>
  new ApiError(failure(code, reason, message, details));

/** `name`, `group`, `kind` in the order of the wire; empty ones are left out. */
function naming(name: string, group: string, kind: string): StatusDetails {
  return { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), ...(kind === '' ? {} : { kind }) };
}

// ── 4xx about one object ───────────────────────────────────────────────────────────────────────────────────────────

/** 404: the object is not there. */
export function notFound(resource: GroupResource, name: string): ApiError {
  const message = `${formatGroupResource(resource)} ${quote(name)} not found`;
  return make(404, 'NotFound', message, naming(name, resource.group, resource.resource));
}

/** 409: the name is taken. */
export function alreadyExists(resource: GroupResource, name: string): ApiError {
  const message = `${formatGroupResource(resource)} ${quote(name)} already exists`;
  return make(409, 'AlreadyExists', message, naming(name, resource.group, resource.resource));
}

/** 409: the name is taken by an object that is going away. */
export function alreadyExistsDeleting(resource: GroupResource, name: string): ApiError {
  const message = `object is being deleted: ${formatGroupResource(resource)} ${quote(name)} already exists`;
  return make(409, 'AlreadyExists', message, naming(name, resource.group, resource.resource));
}

/** 409: no free name was found for a `generateName`; trying again may help. */
export function generateNameConflict(resource: GroupResource, name: string, retryAfterSeconds = 1): ApiError {
  const what = `${formatGroupResource(resource)} ${quote(name)}`;
  const message = `${what} already exists, the server was not able to generate a unique name for the object`;
  return make(409, 'AlreadyExists', message, {
    ...naming(name, resource.group, resource.resource),
    retryAfterSeconds,
  });
}

/** 409: what the client knew is out of date, or a precondition fails; `why` says which. */
export function conflict(resource: GroupResource, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${formatGroupResource(resource)} ${quote(name)}: ${why}`;
  return make(409, 'Conflict', message, naming(name, resource.group, resource.resource));
}

/** 409: the object is not the one that was meant: another has taken its name, or there is none. */
export function uidPrecondition(
  resource: GroupResource,
  namespace: string,
  name: string,
  wanted: string,
  actual: string,
): ApiError {
  const key = ['/registry', resource.resource, ...(namespace ? [namespace] : []), name].join('/');
  const why = `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${actual}`;
  const what = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
  return conflict(resource, name, what);
}

/** 409: the object's resourceVersion is not the current one. */
export function modified(resource: GroupResource, name: string): ApiError {
  const why = 'the object has been modified; please apply your changes to the latest version and try again';
  return conflict(resource, name, why);
}

/** 409: fields that another manager owns (server-side apply). */
export function applyConflict(message: string, causes: StatusCause[]): ApiError {
  return make(409, 'Conflict', message, { causes });
}

/** 403: known, but not allowed. Without a name it concerns the collection, without a resource a path. */
export function forbidden(resource: GroupResource, name: string, why: string): ApiError {
  const what = formatGroupResource(resource);
  const subject =
    what === '' ? 'forbidden' : name === '' ? `${what} is forbidden` : `${what} ${quote(name)} is forbidden`;
  return make(403, 'Forbidden', `${subject}: ${why}`, naming(name, resource.group, resource.resource));
}

/** 403 on create: the namespace is on its way out. */
export function namespaceTerminating(resource: GroupResource, name: string, namespace: string): ApiError {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const error = forbidden(resource, name, why);
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return new ApiError({ ...error.status, details: { ...error.status.details, causes: [cause] } });
}

/** 422: validation found errors; each becomes a cause. */
export function invalid(kind: GroupKind, name: string, errors: ErrorList): ApiError {
  const what = `${formatGroupKind(kind)} ${quote(name)} is invalid`;
  const causes = errors.map((error) => ({ reason: error.type, message: bodyOf(error), field: error.field }));
  return make(422, 'Invalid', errors.length === 0 ? what : `${what}: ${aggregate(errors)}`, {
    ...naming(name, kind.group, kind.kind),
    ...(causes.length === 0 ? {} : { causes }),
  });
}

/** 422 without a word on what is wrong: a JSON patch whose `test` failed. */
export function unprocessable(): ApiError {
  return make(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

/** 422 with a message of its own and no details: a patch that cannot be merged. */
export function unprocessableBecause(message: string): ApiError {
  return make(422, 'Invalid', message, {});
}

/** 405: the resource does not know the action (`create`, `delete` …). */
export function methodNotSupported(resource: GroupResource, action: string): ApiError {
  const message = `${action} is not supported on resources of kind ${quote(formatGroupResource(resource))}`;
  return make(405, 'MethodNotAllowed', message, naming('', resource.group, resource.resource));
}

/** 405: what defines the resource is on its way out, and nothing new comes to be. */
export function definitionTerminating(resource: GroupResource, action: string): ApiError {
  const message = `${action} not allowed while custom resource definition is terminating`;
  return make(405, 'MethodNotAllowed', message, naming('', resource.group, resource.resource));
}

// ── 4xx about the request ──────────────────────────────────────────────────────────────────────────────────────────

/** 400: the request cannot be understood. */
export function badRequest(message: string): ApiError {
  return make(400, 'BadRequest', message);
}

/** 400: the body is no object of the wanted type; `why` comes from the decoder. */
export function badObject(kind: string, version: string, why: string): ApiError {
  return badRequest(`${kind} in version ${quote(version)} cannot be handled as a ${kind}: ${why}`);
}

/** 401: who the client is could not be established. */
export function unauthorized(message = 'Unauthorized'): ApiError {
  return make(401, 'Unauthorized', message);
}

/** 404 for a path of a known group that leads nowhere. */
export function unknownPath(): ApiError {
  return make(404, 'NotFound', 'the server could not find the requested resource', {});
}

/** 405 for a path that knows other methods. */
export function methodNotAllowed(): ApiError {
  return make(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

/** 406: no media type that the client accepts (`Accept`) can be served. */
export function notAcceptable(mediaTypes: readonly string[]): ApiError {
  const message = `only the following media types are accepted: ${mediaTypes.join(', ')}`;
  return make(406, 'NotAcceptable', message);
}

/** 406 where no clause of `Accept` is even known to the path. */
export function noRepresentation(mediaTypes: readonly string[]): ApiError {
  const message = `406: Not Acceptable\n\nAvailable representations: ${mediaTypes.join(', ')}`;
  return make(406, 'NotAcceptable', message, {});
}

/** 406 where the client asked for a transformation that does not fit the answer. */
export function cannotTransform(message: string): ApiError {
  return make(406, 'NotAcceptable', message);
}

/** 410: it was there once and is gone for good. */
export function gone(message: string): ApiError {
  return make(410, 'Gone', message);
}

/** 410: a resourceVersion or continue token from too long ago. */
export function expired(message: string): ApiError {
  return make(410, 'Expired', message);
}

/** 410 in a watch: the wanted revision is no longer known. */
export function tooOldResourceVersion(wanted: string | number, oldest: string | number): ApiError {
  return expired(`too old resource version: ${wanted} (${oldest})`);
}

/** 413: `limit` in bytes. */
export function requestEntityTooLarge(limitBytes: number): ApiError {
  return make(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
}

/** 415: the body's media type is none of those that can be read here. */
export function unsupportedMediaType(mediaTypes: readonly string[]): ApiError {
  const known = mediaTypes.join(', ');
  const message = `the body of the request was in an unknown format - accepted media types include: ${known}`;
  return make(415, 'UnsupportedMediaType', message);
}

/** 415: a patch in a media type that is none of the four. */
export function unsupportedPatch(): ApiError {
  return make(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
}

/** 429: come back after `retryAfterSeconds` (also sent as a `Retry-After` header). */
export function tooManyRequests(message: string, retryAfterSeconds = 0): ApiError {
  return make(429, 'TooManyRequests', message, retryAfterSeconds > 0 ? { retryAfterSeconds } : {});
}

/** 429 to an eviction that would break a budget. */
export function disruptionBudget(message: string, cause: string): ApiError {
  return make(429, 'TooManyRequests', message, { causes: [{ reason: 'DisruptionBudget', message: cause }] });
}

// ── 5xx ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** 500: the server failed; the client can do nothing about it. */
export function internal(message: string): ApiError {
  return make(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}

/** 500 with neither reason nor details: what upstream answers where it did not classify the failure. */
export function unclassified(message: string): ApiError {
  return make(500, undefined, message);
}

/** 500: the operation (`create`, `list` …) should be tried again. */
export function serverTimeout(resource: GroupResource, operation: string, retryAfterSeconds: number): ApiError {
  const message =
    `The ${operation} operation against ${formatGroupResource(resource)} ` +
    'could not be completed at this time, please try again.';
  return make(500, 'ServerTimeout', message, { ...naming('', resource.group, resource.resource), retryAfterSeconds });
}

/** 503: not now. */
export function serviceUnavailable(message: string): ApiError {
  return make(503, 'ServiceUnavailable', message);
}

/** 504: the answer took too long. */
export function timeout(message: string, retryAfterSeconds = 0): ApiError {
  return make(504, 'Timeout', `Timeout: ${message}`, retryAfterSeconds > 0 ? { retryAfterSeconds } : {});
}

/** 504: the client asked for a revision that has not happened yet. */
export function tooLargeResourceVersion(
  wanted: string | number,
  current: string | number,
  retryAfterSeconds = 1,
): ApiError {
  const message = `Timeout: Too large resource version: ${wanted}, current: ${current}`;
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  return make(504, 'Timeout', message, { causes, retryAfterSeconds });
}

// ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The Status to send for anything thrown. */
export function statusOf(error: unknown): Status {
  if (error instanceof ApiError) return error.status;
  return failure(500, undefined, error instanceof Error ? error.message : String(error));
}

/** The reason of an `ApiError`; undefined for everything else. */
export function reasonOf(error: unknown): StatusReason | undefined {
  return error instanceof ApiError ? error.reason : undefined;
}

export const isNotFound = (error: unknown): error is ApiError => reasonOf(error) === 'NotFound';
export const isAlreadyExists = (error: unknown): error is ApiError => reasonOf(error) === 'AlreadyExists';
export const isConflict = (error: unknown): error is ApiError => reasonOf(error) === 'Conflict';
export const isInvalid = (error: unknown): error is ApiError => reasonOf(error) === 'Invalid';
export const isForbidden = (error: unknown): error is ApiError => reasonOf(error) === 'Forbidden';
export const isUnauthorized = (error: unknown): error is ApiError => reasonOf(error) === 'Unauthorized';
export const isExpired = (error: unknown): error is ApiError =>
  reasonOf(error) === 'Expired' || reasonOf(error) === 'Gone';
export const isTimeout = (error: unknown): error is ApiError =>
  reasonOf(error) === 'Timeout' || reasonOf(error) === 'ServerTimeout';
export const isTooManyRequests = (error: unknown): error is ApiError => reasonOf(error) === 'TooManyRequests';

/** Seconds after which the client should try again, where the Status says so. */
export function retryAfterSecondsOf(error: unknown): number | undefined {
  return error instanceof ApiError ? error.status.details?.retryAfterSeconds : undefined;
}

/** Whether a Status has a cause of this reason. */
export function hasCause(error: unknown, reason: string): boolean {
  return error instanceof ApiError && (error.status.details?.causes ?? []).some((cause) => cause.reason === reason);
}
