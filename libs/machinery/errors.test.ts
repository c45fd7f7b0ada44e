import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers } from '../../tests/fidelity/answers.ts';
import * as errors from './errors.ts';
import * as field from './field-errors.ts';

const pods = { group: '', resource: 'pods' };
const deployments = { group: 'apps', resource: 'deployments' };

test('code, reason and message of each', () => {
  const table: [errors.ApiError, number, string, string][] = [
    [errors.notFound(deployments, 'a'), 404, 'NotFound', 'deployments.apps "a" not found'],
    [errors.alreadyExists(pods, 'a'), 409, 'AlreadyExists', 'pods "a" already exists'],
    [errors.alreadyExistsDeleting(pods, 'a'), 409, 'AlreadyExists', 'object is being deleted: pods "a" already exists'],
    [errors.conflict(pods, 'a', 'no'), 409, 'Conflict', 'Operation cannot be fulfilled on pods "a": no'],
    [errors.forbidden(pods, 'a', 'no'), 403, 'Forbidden', 'pods "a" is forbidden: no'],
    [errors.forbidden(pods, '', 'no'), 403, 'Forbidden', 'pods is forbidden: no'],
    [errors.forbidden({ group: '', resource: '' }, '', 'no'), 403, 'Forbidden', 'forbidden: no'],
    [
      errors.methodNotSupported(deployments, 'create'),
      405,
      'MethodNotAllowed',
      'create is not supported on resources of kind "deployments.apps"',
    ],
    [errors.unauthorized(), 401, 'Unauthorized', 'Unauthorized'],
    [errors.tooOldResourceVersion(1, 2), 410, 'Expired', 'too old resource version: 1 (2)'],
    [errors.tooManyRequests('slow down', 1), 429, 'TooManyRequests', 'slow down'],
    [errors.requestEntityTooLarge(3145728), 413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'],
    [
      errors.serverTimeout(pods, 'list', 2),
      500,
      'ServerTimeout',
      'The list operation against pods could not be completed at this time, please try again.',
    ],
    [errors.timeout('late'), 504, 'Timeout', 'Timeout: late'],
    [errors.internal('broken'), 500, 'InternalError', 'Internal error occurred: broken'],
    [errors.unclassified('broken'), 500, '', 'broken'],
  ];
  for (const [error, code, reason, message] of table) {
    assert.deepEqual([error.code, error.reason, error.message], [code, reason, message]);
    assert.equal(error.status.status, 'Failure');
  }
});

test('a whole Status', () => {
  assert.deepEqual(errors.notFound(deployments, 'a').status, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'deployments.apps "a" not found',
    reason: 'NotFound',
    details: { name: 'a', group: 'apps', kind: 'deployments' },
    code: 404,
  });
  const { causes } =
    errors.invalid({ group: '', kind: 'Pod' }, 'x', [field.required('spec.containers')]).status.details ?? {};
  assert.deepEqual(causes, [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.containers' }]);
});

test('anything thrown becomes a Status', () => {
  assert.deepEqual(errors.statusOf(new TypeError('x')), errors.failure(500, undefined, 'x'));
  assert.equal(errors.statusOf(errors.notFound(pods, 'a')).code, 404);
  assert.ok(errors.isNotFound(errors.notFound(pods, 'a')));
  assert.ok(!errors.isNotFound(new Error('not found')));
  assert.equal(errors.retryAfterSecondsOf(errors.tooManyRequests('x', 3)), 3);
  assert.ok(errors.hasCause(errors.namespaceTerminating(pods, 'p', 'n'), 'NamespaceTerminating'));
});

/** Takes a cause's message apart, so that it can be put together again. */
function errorOf(cause: { reason: field.FieldErrorType; message: string; field: string }): field.FieldError {
  const kind =
    /^(Not found|(?:Required|Duplicate|Invalid|Unsupported) value|Forbidden|Too (?:long|many)|Internal error)(?:: )?(.*)$/s.exec(
      cause.message,
    );
  assert.ok(kind, cause.message);
  const shown = /^(Not|Dup|Inv|Uns|Too many)/.test(cause.message);
  return {
    type: cause.reason,
    field: cause.field,
    value: shown && kind[2] ? field.verbatim(kind[2] as string) : field.omitted,
    detail: shown ? '' : (kind[2] as string),
  };
}

test("upstream's recorded Statuses are rebuilt from their parts", { skip: answers.skip }, () => {
  const played: Record<string, number> = {};
  for (const file of ['validation', 'update', 'patch', 'read', 'crd', 'authn-authz', 'admission']) {
    for (const { id, answers: steps } of answers.read(file)) {
      for (const { body } of steps) {
        const want = body as any;
        if (want?.kind !== 'Status' || want.status !== 'Failure' || want.message === undefined) continue;
        const { name = '', group = '', kind = '', causes } = want.details ?? {};
        const resource = { group, resource: kind };
        const says = (text: RegExp): RegExpExecArray | null => text.exec(want.message);
        let made: errors.ApiError | undefined;
        if (want.reason === 'Invalid' && causes?.[0]?.field !== undefined && says(/ is invalid: /)) {
          made = errors.invalid({ group, kind }, name, causes.map(errorOf));
        } else if (want.reason === 'NotFound' && name !== '') made = errors.notFound(resource, name);
        else if (want.reason === 'NotFound') made = errors.unknownPath();
        else if (want.reason === 'AlreadyExists' && says(/^object is/))
          made = errors.alreadyExistsDeleting(resource, name);
        else if (want.reason === 'AlreadyExists') made = errors.alreadyExists(resource, name);
        else if (want.reason === 'Conflict' && says(/^Operation/)) {
          made = errors.conflict(resource, name, want.message.slice(want.message.indexOf('": ') + 3));
        } else if (want.reason === 'Forbidden' && causes === undefined && says(/forbidden: /)) {
          // The message names a subresource that the details leave out.
          if (says(/^\S+\/\S+ /)) continue;
          made = errors.forbidden(resource, name, want.message.slice(want.message.indexOf('forbidden: ') + 11));
        } else if (want.reason === 'Forbidden' && causes?.[0]?.reason === 'NamespaceTerminating') {
          made = errors.namespaceTerminating(resource, name, '{ns}');
        } else if (want.reason === 'InternalError' && causes?.length === 1 && says(/^Internal error/))
          made = errors.internal(causes[0].message);
        else if (want.reason === 'MethodNotAllowed' && kind === '') made = errors.methodNotAllowed();
        else if (want.reason === 'MethodNotAllowed')
          made = errors.methodNotSupported(resource, want.message.split(' ')[0]);
        else if (want.code === 422 && want.details && causes === undefined) made = errors.unprocessable();
        else if (want.reason === 'Timeout') made = errors.tooLargeResourceVersion('<rv1>', '<rv>');
        else if (want.reason === 'UnsupportedMediaType' && want.details === undefined) {
          made = errors.unsupportedMediaType(want.message.slice(want.message.indexOf('include: ') + 9).split(', '));
        } else if (want.reason === 'RequestEntityTooLarge' && want.details === undefined)
          made = errors.requestEntityTooLarge(3145728);
        if (made === undefined) continue;
        played[want.reason] = (played[want.reason] ?? 0) + 1;
        assert.deepEqual(made.status, want, id);
      }
    }
  }
  assert.ok((played['Invalid'] ?? 0) > 1400, JSON.stringify(played));
  assert.ok(
    (played['NotFound'] ?? 0) > 100 && (played['Forbidden'] ?? 0) > 100 && (played['Conflict'] ?? 0) > 5,
    JSON.stringify(played),
  );
});
