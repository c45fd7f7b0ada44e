import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ApiObject } from '../libs/kind/object.ts';
import { createCluster, ManifestError } from './index.ts';

interface Backup extends ApiObject {
  spec: { keep: number };
}

test('definitions and namespaces go first, whatever the order', async () => {
  await using cluster = await createCluster({ seed: 1 });
  const applied = await cluster.apply(`
apiVersion: example.com/v1
kind: Backup
metadata: { name: nightly, namespace: ops }
spec: { keep: 3 }
---
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: ConfigMap, metadata: { name: a, namespace: ops } }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: backups.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: backups, singular: backup, kind: Backup, shortNames: [bk] }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: { spec: { type: object, properties: { keep: { type: integer } } } }
---
apiVersion: v1
kind: Namespace
metadata: { name: ops }
`);
  assert.deepEqual(
    applied.map(({ kind }) => kind),
    ['Backup', 'ConfigMap', 'CustomResourceDefinition', 'Namespace'],
  );
  const backups = cluster.client.resource<Backup>({ group: 'example.com', version: 'v1', plural: 'backups' });
  assert.equal((await backups.namespace('ops').get('nightly')).spec.keep, 3);
  const found = await cluster.until('bk/nightly', (b) => b['spec'].keep === 3, { namespace: 'ops' });
  assert.equal(found['metadata'].name, 'nightly');
});

test('errors name file, document and line', async (t) => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const folder = mkdtempSync(join(tmpdir(), 'manifests-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const cases: [string, string, RegExp][] = [
    [
      'no yaml',
      'apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\napiVersion: v1\nkind: [\n',
      /a\.yaml, document 2, line \d+: /,
    ],
    ['no kind', 'apiVersion: v1\n', /a\.yaml \(line 1\): kind is missing/],
    ['no name', 'apiVersion: v1\nkind: Pod\n', /a\.yaml \(line 1\): Pod has no metadata.name/],
    ['unknown kind', 'apiVersion: v2\nkind: Pod\nmetadata: {name: a}\n', /the cluster has no kind Pod in v2/],
    [
      'refused',
      '# first\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: B_}\n',
      /a\.yaml, document 2 \(line 6\): ConfigMap "B_" was refused: .*metadata\.name/,
    ],
    [
      'unknown field',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {}\n',
      /ConfigMap "a" was refused: .*date/,
    ],
  ];
  for (const [name, text, message] of cases) {
    await t.test(name, async () => {
      writeFileSync(join(folder, 'a.yaml'), text);
      await assert.rejects(cluster.apply(folder), (error) => {
        assert.ok(error instanceof ManifestError, String(error));
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(folder), error.message);
        return true;
      });
    });
  }
  await assert.rejects(cluster.apply('nowhere.yaml'), /there is no file or folder "nowhere.yaml"/);
});
