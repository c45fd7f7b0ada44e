import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as gvk from './gvk.ts';

test('apiVersion', () => {
  const table: [string, string, string][] = [
    ['', '', ''],
    ['v1', '', 'v1'],
    ['apps/v1', 'apps', 'v1'],
    ['a.b/', 'a.b', ''],
  ];
  for (const [text, group, version] of table) assert.deepEqual(gvk.parseApiVersion(text), { group, version });
  assert.throws(() => gvk.parseApiVersion('a/b/c'), {
    name: 'ApiVersionError',
    message: 'unexpected GroupVersion string: a/b/c',
  });
  assert.equal(gvk.formatApiVersion({ group: 'apps', version: 'v1' }), 'apps/v1');
  assert.equal(gvk.formatApiVersion({ group: '', version: 'v1' }), 'v1');
  assert.deepEqual(gvk.gvkOf({ apiVersion: 'apps/v1', kind: 'Deployment' }), {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
  });
});

test('names in messages', () => {
  assert.equal(gvk.formatGvk({ group: '', version: 'v1', kind: 'Pod' }), '/v1, Kind=Pod');
  assert.equal(gvk.formatGroupKind({ group: 'apps', kind: 'Deployment' }), 'Deployment.apps');
  assert.equal(gvk.formatGroupResource({ group: '', resource: 'pods' }), 'pods');
});

test('versions by stability', () => {
  const want = [
    'v10',
    'v2',
    'v1',
    'v11beta2',
    'v10beta3',
    'v3beta1',
    'v12alpha1',
    'v11alpha2',
    'foo1',
    'foo10',
    'v1beta',
  ];
  assert.deepEqual([...want].reverse().sort(gvk.compareVersions), want);
});
