import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../libs/machinery/field-errors.ts';
import type { PolicyRule, RoleBinding } from '../types/rbac/v1.generated.ts';
import { defaultBinding, roleText, subjectNames, validateBinding, validateRoleRefUpdate } from './bindings.ts';
import { validateRules } from './policy-rules.ts';

const rule = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };

test('rules', () => {
  const cases: [PolicyRule, boolean, string[]][] = [
    [rule, true, []],
    [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }, false, []],
    [{ ...rule, verbs: [] }, true, ['rules[0].verbs: Required value: verbs must contain at least one value']],
    [
      { verbs: ['get'], resources: ['pods'] },
      true,
      ['rules[0].apiGroups: Required value: resource rules must supply at least one api group'],
    ],
    [
      { verbs: ['get'], nonResourceURLs: ['/x'] },
      true,
      ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
    ],
    [
      { ...rule, nonResourceURLs: ['/x'] },
      false,
      [
        'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
      ],
    ],
  ];
  for (const [one, namespaced, wanted] of cases) assert.deepEqual(validateRules([one], namespaced).map(textOf), wanted);
});

const binding = (change: Partial<RoleBinding> = {}): RoleBinding => ({
  metadata: { name: 'b' },
  roleRef: { apiGroup: '', kind: 'Role', name: 'r' },
  subjects: [
    { kind: 'User', name: 'jane' },
    { kind: 'ServiceAccount', name: 'sa', namespace: 'n' },
  ],
  ...change,
});

test('defaults: users and groups, and roles, are of RBAC’s own group; service accounts are not', () => {
  const made = binding();
  defaultBinding(made);
  assert.equal(made.roleRef.apiGroup, 'rbac.authorization.k8s.io');
  assert.deepEqual(
    made.subjects?.map(({ apiGroup }) => apiGroup),
    ['rbac.authorization.k8s.io', undefined],
  );
  assert.deepEqual(validateBinding(made, ['Role', 'ClusterRole'], true), []);
  assert.deepEqual(
    [roleText(made), subjectNames(made, 'User'), subjectNames(made, 'ServiceAccount')],
    ['Role/r', 'jane', 'n/sa'],
  );
});

test('bindings refuse kinds that do not exist and accounts of nowhere', () => {
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'a/b' };
  const subjects = [
    { kind: 'Robot', name: 'r2' },
    { kind: 'ServiceAccount', name: 'sa' },
  ];
  assert.deepEqual(validateBinding(binding({ roleRef, subjects }), ['ClusterRole'], false).map(textOf), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    `roleRef.name: Invalid value: "a/b": may not contain '/'`,
    'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    'subjects[1].namespace: Required value',
  ]);
});

test('what a binding binds to is fixed', () => {
  const other = binding({ roleRef: { apiGroup: 'g', kind: 'Role', name: 'other' } });
  assert.deepEqual(validateRoleRefUpdate(other, binding()).map(textOf), [
    'roleRef: Invalid value: {"APIGroup":"g","Kind":"Role","Name":"other"}: cannot change roleRef',
  ]);
  assert.deepEqual(validateRoleRefUpdate(binding(), binding()), []);
});
