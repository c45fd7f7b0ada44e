import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import type { ApiRequest } from '../api.ts';
import { impersonation } from './impersonation.ts';

const USER: UserInfo = { name: 'robot', groups: [], extra: {} };
const LISTS_PODS: RequestAttributes = {
  verb: 'list',
  isResourceRequest: true,
  path: '',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: '',
};
const as = (name: string, more = {}): ApiRequest => ({
  method: 'GET',
  path: '/api/v1/namespaces/default/pods',
  query: '',
  headers: { 'impersonate-user': name, ...more },
  body: undefined,
  peer: { address: '' },
  signal: new AbortController().signal,
});
/** Rights as `verb resource name`. */
const rights = (...held: string[]) =>
  impersonation(async (_user, { verb, resource, name }) => ({
    decision: held.includes(`${verb} ${resource} ${name}`.trim()) ? 'allow' : 'none',
  }));

suite('who may act as somebody', () => {
  const on = 'impersonate-on:user-info:list pods';
  const cases: [title: string, held: string[], request: ApiRequest, refusal: RegExp | undefined][] = [
    ['nobody without a right', [], as('jane'), /cannot impersonate-on:user-info:list resource "pods"/],
    ['who may impersonate that user', ['impersonate users jane'], as('jane'), undefined],
    ['who may be that user for this', [on, 'impersonate:user-info users jane'], as('jane'), undefined],
    [
      'not who may do this as somebody else',
      [on, 'impersonate:user-info users joe'],
      as('jane'),
      /cannot impersonate:user-info resource "users"/,
    ],
    [
      'not with groups that are not allowed',
      [on, 'impersonate:user-info users jane'],
      as('jane', { 'impersonate-group': ['dev'] }),
      /cannot impersonate:user-info resource "groups"/,
    ],
    [
      'accounts are no users',
      ['impersonate users system:serviceaccount:a:b'],
      as('system:serviceaccount:a:b'),
      /cannot impersonate-on:serviceaccount:list/,
    ],
    [
      'nodes in their own way',
      ['impersonate-on:arbitrary-node:list pods', 'impersonate:arbitrary-node nodes n1'],
      as('system:node:n1'),
      undefined,
    ],
  ];
  for (const [title, held, request, refusal] of cases) {
    test(title, async () => {
      const asked = (async () => rights(...held)(request, USER, LISTS_PODS))();
      if (refusal) await assert.rejects(asked, refusal);
      else assert.equal((await asked).name, request.headers['impersonate-user']);
    });
  }

  test('the way that worked last is refused first', async () => {
    const impersonate = rights('impersonate users jane');
    await impersonate(as('jane'), USER, LISTS_PODS);
    await assert.rejects(async () => impersonate(as('joe'), USER, LISTS_PODS), /cannot impersonate resource "users"/);
  });
});
