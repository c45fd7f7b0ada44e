import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { DeepReadonlyAdmission } from '../../../../libs/kind/admission.ts';
import { ruleMatches } from './matching.ts';
import type { Form } from './subject.ts';

const form = (resource: string, group = '', version = 'v1'): Form => ({
  resource: { group, version, resource },
  kind: { group, version, kind: 'Any' },
});
const request = (more: Partial<DeepReadonlyAdmission> = {}) =>
  ({ operation: 'CREATE', subresource: '', namespace: 'default', name: 'a', ...more }) as DeepReadonlyAdmission;
const rule = (more = {}) => ({
  operations: ['CREATE'],
  apiGroups: [''],
  apiVersions: ['v1'],
  resources: ['pods'],
  scope: '*',
  ...more,
});

suite('what a rule is about', () => {
  const cases: [title: string, given: object, form: Form, asked: DeepReadonlyAdmission, matches: boolean][] = [
    ['the resource', {}, form('pods'), request(), true],
    ['another resource', {}, form('secrets'), request(), false],
    ['another group', {}, form('pods', 'apps'), request(), false],
    ['another version', {}, form('pods', '', 'v2'), request(), false],
    ['another operation', {}, form('pods'), request({ operation: 'DELETE' }), false],
    [
      'stars',
      { apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*'] },
      form('x', 'y'),
      request(),
      true,
    ],
    [
      'a star for resources has no subresources',
      { resources: ['*'] },
      form('pods'),
      request({ subresource: 'exec' }),
      false,
    ],
    ['a resource has no subresources', {}, form('pods'), request({ subresource: 'status' }), false],
    ['one subresource', { resources: ['pods/status'] }, form('pods'), request({ subresource: 'status' }), true],
    ['all subresources, and itself', { resources: ['pods/*'] }, form('pods'), request(), true],
    ['a subresource of all', { resources: ['*/scale'] }, form('x'), request({ subresource: 'scale' }), true],
    ['everything', { resources: ['*/*'] }, form('x'), request({ subresource: 'y' }), true],
    ['namespaced things', { scope: 'Namespaced' }, form('pods'), request({ namespace: '' }), false],
    ['cluster-wide things', { scope: 'Cluster' }, form('pods'), request(), false],
    ['by name', { resourceNames: ['b'] }, form('pods'), request(), false],
  ];
  for (const [title, given, of, asked, matches] of cases) {
    test(title, () => assert.equal(ruleMatches(rule(given), of, asked), matches));
  }
});
