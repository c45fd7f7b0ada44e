import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { builtinSchema } from '../../../api/schema/builtin.ts';
import {
  newAuditAnnotations,
  type RequestAttributes,
  type RequestContext,
  type UserInfo,
} from '../../../libs/kind/request.ts';
import { encodeProtobuf } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import { forbidden, unauthorized } from '../../../libs/machinery/errors.ts';
import { startTestServer } from '../../../tests/fixtures/api-server.ts';
import { respond, wholeBody } from '../responses.ts';
import type { AuditRecord } from '../server.ts';
import { auditLines } from './events.ts';
import { decide, parseAuditPolicy } from './policy.ts';

const policy = parseAuditPolicy(`
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-proxy]
  verbs: [watch]
  resources: [{group: "", resources: [endpoints, services]}]
- level: Metadata
  resources: [{group: "", resources: [secrets, pods/log, "*/exec"]}]
- level: None
  nonResourceURLs: ["/healthz*", /version]
- level: RequestResponse
  namespaces: [kube-system]
  omitManagedFields: true
- level: Request
  userGroups: [watched]
`);

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups, extra: {} });
const on = (verb: string, resource: string, more: Partial<RequestAttributes> = {}): RequestAttributes => ({
  verb,
  isResourceRequest: true,
  path: '',
  group: '',
  version: 'v1',
  resource,
  subresource: '',
  namespace: 'default',
  name: '',
  ...more,
});
const path = (at: string) => on('get', '', { isResourceRequest: false, path: at, namespace: '' });

describe('an audit policy', () => {
  for (const [who, what, level] of [
    [user('system:kube-proxy'), on('watch', 'services'), 'None'],
    [user('system:kube-proxy', 'watched'), on('list', 'services'), 'Request'],
    [user('jane', 'watched'), on('get', 'secrets'), 'Metadata'],
    [user('jane', 'watched'), on('get', 'pods', { subresource: 'log' }), 'Metadata'],
    [user('jane', 'watched'), on('get', 'pods', { subresource: 'exec' }), 'Metadata'],
    [user('jane', 'watched'), on('get', 'pods'), 'Request'],
    [user('jane', 'watched'), on('get', 'secrets', { group: 'example.com' }), 'Request'],
    [user('jane', 'watched'), path('/healthz/etcd'), 'None'],
    [user('jane', 'watched'), path('/version/x'), 'Request'],
    [user('jane'), on('update', 'configmaps', { namespace: 'kube-system' }), 'RequestResponse'],
    [user('jane'), on('update', 'configmaps'), 'None'],
  ] as const) {
    it(`${who.name} ${what.verb} ${what.resource || what.path} ${what.subresource}: ${level}`, () =>
      assert.equal(decide(policy, who, what).level, level));
  }

  for (const [why, text] of [
    ['of another kind', 'apiVersion: v1\nkind: Policy\nrules: [{level: None}]'],
    ['without rules', 'apiVersion: audit.k8s.io/v1\nkind: Policy'],
    ['with an unknown level', 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]'],
    [
      'for paths and resources',
      'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, nonResourceURLs: [/x], namespaces: [a]}]',
    ],
  ] as const) {
    it(`${why} is refused`, () => assert.throws(() => parseAuditPolicy(text)));
  }
});

describe('audit events', () => {
  const record = (what: RequestAttributes, more: Partial<AuditRecord> = {}, who = user('jane', 'watched')) => {
    const lines: string[] = [];
    const audit = newAuditAnnotations();
    const object = { kind: 'X', metadata: { name: 'x', managedFields: [{}] }, data: { password: 'hidden' } };
    auditLines(policy, (line) => lines.push(line))({
      timeMs: 1000,
      id: () => 't',
      stage: 'ResponseComplete',
      authenticated: who,
      ctx: { user: who, attributes: what, audit, nowMs: 0 } as unknown as RequestContext,
      request: {
        method: 'PUT',
        path: '/p',
        query: 'a=b',
        headers: { 'audit-id': 'id', 'user-agent': 'test' },
        body: { value: object },
        peer: { address: '10.0.0.1' },
        signal: new AbortController().signal,
      },
      code: 200,
      response: respond(200, wholeBody({ value: object })),
      ...more,
    });
    return lines.map((line) => JSON.parse(line));
  };

  it('of metadata have no objects: no secret', () => {
    const [event] = record(on('update', 'secrets', { name: 'x' }));
    assert.deepEqual(
      [event.level, event.auditID, event.requestURI, event.sourceIPs, event.user.username, event.responseStatus.code],
      ['Metadata', 'id', '/p?a=b', ['10.0.0.1'], 'jane', 200],
    );
    assert.deepEqual(event.objectRef, { resource: 'secrets', namespace: 'default', name: 'x', apiVersion: 'v1' });
    assert.ok(!JSON.stringify(event).includes('hidden'));
  });

  it('of requests have what was sent, and of responses what was answered', () => {
    const [request] = record(on('update', 'configmaps'));
    assert.deepEqual([request.requestObject.data.password, request.responseObject], ['hidden', undefined]);
    const [both] = record(on('update', 'configmaps', { namespace: 'kube-system' }));
    assert.equal(both.responseObject.data.password, 'hidden');
    assert.equal(both.responseObject.metadata.managedFields, undefined);
  });

  const bytesOf = (text: string) => new TextEncoder().encode(text);
  const configMapBytes = encodeProtobuf(builtinSchema(), 'core.v1.ConfigMap', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    data: { a: 'b' },
  });
  for (const [type, bytes, told] of [
    ['application/json', bytesOf('{"data":{"a":"b"}}'), { a: 'b' }],
    ['application/yaml', bytesOf('data: {a: b}'), { a: 'b' }],
    ['application/apply-patch+yaml', bytesOf('data: {a: b}'), { a: 'b' }],
    ['application/vnd.kubernetes.protobuf', configMapBytes, { a: 'b' }],
    ['application/vnd.kubernetes.protobuf', bytesOf('data'), undefined],
    ['application/json', bytesOf('{"data"'), undefined],
  ] as const) {
    it(`tell what was sent as ${type}${told ? '' : ', unless it cannot be read'}`, () => {
      const request = {
        method: 'PUT',
        path: '/p',
        query: '',
        headers: { 'content-type': type },
        body: { bytes },
        peer: { address: '' },
        signal: new AbortController().signal,
      };
      assert.deepEqual(record(on('update', 'configmaps'), { request })[0].requestObject?.data, told);
    });
  }

  it('tell who acts as somebody else; the policy is about the one who asked', () => {
    const [event] = record(on('get', 'pods'), { authenticated: user('ann', 'watched') }, user('jane'));
    assert.deepEqual([event.user.username, event.impersonatedUser.username, event.level], ['ann', 'jane', 'Request']);
    assert.deepEqual(record(on('get', 'pods'), { authenticated: user('jane') }, user('ann', 'watched')), []);
    assert.equal(record(on('get', 'pods'))[0].impersonatedUser, undefined);
  });

  it('of failures have the reason', () => {
    const failure = forbidden({ group: '', resource: 'pods' }, 'x', 'no').status;
    const [event] = record(on('get', 'pods'), { code: 403, response: undefined, failure });
    assert.deepEqual([event.responseStatus.code, event.responseStatus.reason], [403, 'Forbidden']);
  });

  it('of stages that are left out are not written', () => {
    assert.deepEqual(record(on('get', 'pods'), { stage: 'RequestReceived' }), []);
    assert.equal(record(on('get', 'pods'), { stage: 'ResponseStarted' })[0].stage, 'ResponseStarted');
  });

  for (const [how, headers, query, message] of [
    ['a bearer token', { authorization: 'Bearer wrong' }, '', 'Authentication failed, attempted: bearer'],
    ['a password', { authorization: 'basic YTpi' }, '', 'Authentication failed, attempted: basic'],
    ['a token in the query', {}, 'access_token=wrong', 'Authentication failed, attempted: access_token'],
    ['nothing', {}, '', 'Authentication failed, no credentials provided'],
  ] as const) {
    it(`of those whom nobody knows are told once, without a user: ${how}`, async () => {
      const lines: string[] = [];
      const everything = parseAuditPolicy(
        'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]',
      );
      await using server = await startTestServer({
        audit: auditLines(everything, (line) => lines.push(line)),
        authenticators: [
          {
            name: 'nobody',
            authenticate() {
              throw unauthorized();
            },
          },
        ],
      });
      const answer = await server.server.handle({
        method: 'POST',
        path: '/api/v1/namespaces/default/secrets',
        query,
        headers,
        body: { value: { data: { password: 'hidden' } } },
        peer: { address: '10.0.0.1' },
        signal: new AbortController().signal,
      });
      assert.equal(answer.code, 401);
      const [event, ...more] = lines.map((one) => JSON.parse(one));
      assert.deepEqual([event.stage, event.verb, event.user, more.length], ['ResponseStarted', 'create', {}, 0]);
      assert.deepEqual(event.responseStatus, { metadata: {}, message, code: 401 });
      assert.deepEqual(event.objectRef, { resource: 'secrets', namespace: 'default', apiVersion: 'v1' });
      assert.ok(!lines[0]?.includes('hidden') && !lines[0]?.includes('responseObject'));
    });
  }
});
