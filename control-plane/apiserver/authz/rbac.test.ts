import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { RbacAuthorizer, type RbacObjects } from './rbac.ts';

type Kinds = 'clusterRoles' | 'clusterRoleBindings' | 'roles' | 'roleBindings';
interface Named {
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const objects = (changes: Partial<Record<Kinds, Named[]>> = {}, version = () => 1): RbacObjects => ({
  version,
  clusterRole: (name) => changes.clusterRoles?.find(({ metadata }) => metadata.name === name) as never,
  clusterRoleBindings: () => (changes.clusterRoleBindings ?? []) as never,
  role: (namespace, name) =>
    changes.roles?.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace) as never,
  roleBindings: () => (changes.roleBindings ?? []) as never,
});

const reader = {
  metadata: { name: 'reader' },
  rules: [{ apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] }],
};
const named = {
  metadata: { name: 'named' },
  rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['a'], verbs: ['*'] }],
};
const paths = { metadata: { name: 'paths' }, rules: [{ nonResourceURLs: ['/healthz', '/metrics/*'], verbs: ['get'] }] };
const scales = {
  metadata: { name: 'scales' },
  rules: [{ apiGroups: ['*'], resources: ['*/scale'], verbs: ['update'] }],
};

const bind = (role: string, subject: object, namespace = '') => ({
  metadata: { name: `${role}-binding`, ...(namespace ? { namespace } : {}) },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  subjects: [subject],
});

const jane: UserInfo = { name: 'jane', groups: ['dev'], extra: {} };
const user = (name: string) => ({ kind: 'User', name });

const asks = (text: string): RequestAttributes => {
  const [verb = '', what = '', where = ''] = text.split(' ');
  const base = { verb, version: 'v1', namespace: '', name: '', subresource: '', resource: '', group: '', path: '' };
  if (what.startsWith('/')) return { ...base, isResourceRequest: false, path: what };
  const [resource = '', subresource = ''] = what.split('/');
  const [namespace = '', name = ''] = where.split('/');
  return { ...base, isResourceRequest: true, resource, subresource, namespace, name };
};

const table: [string, string, boolean][] = [
  ['a rule in one namespace', 'get pods default/x', true],
  ['another verb', 'delete pods default/x', false],
  ['another namespace', 'get pods other/x', false],
  ['a subresource that is named', 'get pods/log default/x', true],
  ['a subresource that is not', 'get pods/exec default/x', false],
  ['a resource name that is listed', 'update configmaps default/a', true],
  ['one that is not', 'update configmaps default/b', false],
  ['a path', 'get /healthz', true],
  ['a path under a star', 'get /metrics/slis', true],
  ['a path beside it', 'get /version', false],
  ['any scale', 'update deployments/scale default/x', true],
  ['the resource itself', 'update deployments default/x', false],
];

const authorizer = new RbacAuthorizer(
  objects({
    clusterRoles: [reader, named, paths, scales],
    roleBindings: [bind('reader', user('jane'), 'default')],
    clusterRoleBindings: [
      bind('named', { kind: 'Group', name: 'dev' }),
      bind('paths', user('jane')),
      bind('scales', user('jane')),
    ],
  }),
);

for (const [title, request, allowed] of table) {
  test(`RBAC: ${title}: ${request}`, () => {
    assert.equal(authorizer.authorize(jane, asks(request)).decision, allowed ? 'allow' : 'none');
  });
}

test('RBAC: a service account is a subject of its binding’s namespace', () => {
  const rbac = new RbacAuthorizer(
    objects({
      clusterRoles: [reader],
      roleBindings: [bind('reader', { kind: 'ServiceAccount', name: 'ci' }, 'default')],
    }),
  );
  const account = (namespace: string) => ({ name: `system:serviceaccount:${namespace}:ci`, groups: [], extra: {} });
  assert.equal(rbac.authorize(account('default'), asks('get pods default/x')).decision, 'allow');
  assert.equal(rbac.authorize(account('other'), asks('get pods default/x')).decision, 'none');
});

test('RBAC: a role that is not there is told of', () => {
  const rbac = new RbacAuthorizer(objects({ clusterRoleBindings: [bind('ghost', user('jane'))] }));
  assert.deepEqual(rbac.authorize(jane, asks('get pods default/x')), {
    decision: 'none',
    reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "ghost" not found',
  });
});

test('RBAC: a change counts at the next request', () => {
  let version = 1;
  const bindings: Named[] = [];
  const rbac = new RbacAuthorizer(objects({ clusterRoles: [reader], clusterRoleBindings: bindings }, () => version));
  assert.equal(rbac.authorize(jane, asks('get pods default/x')).decision, 'none');
  bindings.push(bind('reader', user('jane')));
  version++;
  assert.equal(rbac.authorize(jane, asks('get pods default/x')).decision, 'allow');
});
