import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { uncovered } from './escalation.ts';
import type { Rule } from './rbac.ts';

const rule = (groups: string, resources: string, verbs: string, names = ''): Rule => ({
  apiGroups: groups.split(' '),
  resources: resources.split(' '),
  verbs: verbs.split(' '),
  ...(names ? { resourceNames: names.split(' ') } : {}),
});
const core = (resources: string, verbs: string, names = '') => ({
  ...rule('x', resources, verbs, names),
  apiGroups: [''],
});
const paths = (urls: string, verbs: string): Rule => ({ nonResourceURLs: urls.split(' '), verbs: verbs.split(' ') });

suite('what somebody may not hand out', () => {
  const cases: [title: string, wanted: Rule[], held: Rule[], missing: Rule[]][] = [
    ['nothing held', [core('pods secrets', 'get list')], [], [core('pods', 'get list'), core('secrets', 'get list')]],
    ['part of the verbs', [core('pods', 'get list')], [core('pods', 'get')], [core('pods', 'list')]],
    ['a star covers', [core('pods', 'brew')], [rule('*', '*', '*')], []],
    ['a star is wanted', [core('pods', '*')], [core('pods', 'get list watch')], [core('pods', '*')]],
    ['subresources are others', [core('pods/log', 'get')], [core('pods', '*')], [core('pods/log', 'get')]],
    ['a subresource of all', [core('pods/log', 'get')], [core('*/log', 'get')], []],
    ['some names of many', [core('pods', 'get', 'a b')], [core('pods', 'get', 'a')], [core('pods', 'get', 'b')]],
    ['all names of one', [core('pods', 'get')], [core('pods', 'get', 'a')], [core('pods', 'get')]],
    ['paths by their beginning', [paths('/api /x', 'get')], [paths('/api*', 'get')], [paths('/x', 'get')]],
    ['rules together', [core('pods', 'get list')], [core('pods', 'get'), core('pods', 'list')], []],
  ];
  for (const [title, wanted, held, missing] of cases) {
    test(title, () => assert.deepEqual(uncovered(wanted, held), missing));
  }
});
