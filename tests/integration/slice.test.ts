// One object of a built-in kind and one of a custom kind through every contract: unmodified kubectl over TLS, and the
// in-process client, on virtual and on real time, from the same code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { configMaps, customResourceDefinitions } from '../../api/resources.ts';
import type { ApiObject, ResourceRef } from '../../libs/kind/object.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { type Cluster, createCluster } from '../../testing/create-cluster.ts';
import { needs, testTool } from '../needs.ts';

const run = promisify(execFile);

interface Widget extends ApiObject {
  spec: { size: number; labels?: Record<string, string> };
}
const widgets: ResourceRef<Widget> = {
  group: 'example.com',
  version: 'v1',
  resource: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  size: { type: 'integer', minimum: 1, default: 3 },
                  labels: { type: 'object', additionalProperties: { type: 'string' } },
                },
              },
            },
          },
        },
      },
    ],
  },
};

/** The same life of an object of any kind, through any client. */
async function live(cluster: Cluster): Promise<void> {
  const maps = cluster.client.resource(configMaps).namespace('default');
  await maps.create({ metadata: { name: 'a' }, data: { k: 'v' } });
  await maps.patch('a', { data: { merge: '1' } }, { type: 'merge' });
  await maps.patch('a', { data: { strategic: '2' } }, { type: 'strategic' });
  await maps.patch('a', [{ op: 'add', path: '/data/json', value: '3' }], { type: 'json' });
  const applied = await maps.apply(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { apply: '4' } },
    { fieldManager: 'me' },
  );
  assert.deepEqual({ ...applied.data }, { k: 'v', merge: '1', strategic: '2', json: '3', apply: '4' });

  await cluster.client.resource(customResourceDefinitions).create(definition as never);
  const custom = cluster.client.resource(widgets).namespace('default');
  await cluster.until(() => custom.list().then(() => true), { what: 'the custom kind' });
  const made = await custom.create({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    spec: {} as Widget['spec'],
  });
  assert.equal(made.spec.size, 3);
  await assert.rejects(
    custom.patch('w', { spec: { size: 0 } }, { type: 'merge' }),
    /should be greater than or equal to 1/,
  );
  await custom.patch('w', { spec: { size: 5 } }, { type: 'merge' });
  await custom.patch('w', [{ op: 'add', path: '/spec/labels', value: { a: 'b' } }], { type: 'json' });
  const both = await custom.apply(
    { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { labels: { c: 'd' } } as never },
    { fieldManager: 'me' },
  );
  assert.deepEqual({ ...both.spec, labels: { ...both.spec.labels } }, { size: 5, labels: { a: 'b', c: 'd' } });
  assert.equal((await custom.list()).items.length, 1);
  await custom.delete('w');
  await assert.rejects(custom.get('w'), isNotFound);
}

for (const time of ['virtual', 'real'] as const) {
  test(`the in-process client, on ${time} time`, async () => {
    await using cluster = await createCluster({ seed: 3, time });
    await live(cluster);
  });

  test(`kubectl over TLS, on ${time} time`, { skip: needs('kubectl') }, async (t) => {
    await using cluster = await createCluster({ seed: 3, time });
    const folder = await mkdtemp(join(tmpdir(), 'tutti-slice-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, await cluster.kubeconfig(), { mode: 0o600 });
    await writeFile(join(folder, 'crd.json'), JSON.stringify(definition));
    await writeFile(
      join(folder, 'widget.yaml'),
      'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {}\n',
    );
    const kubectl = async (...args: string[]) => {
      const { stdout } = await run(
        testTool('kubectl'),
        ['--kubeconfig', kubeconfig, '--cache-dir', join(folder, 'cache'), ...args],
        { timeout: 20_000 },
      );
      return stdout;
    };

    await kubectl('create', 'configmap', 'a', '--from-literal=k=v');
    for (const [type, patch] of [
      ['merge', '{"data":{"merge":"1"}}'],
      ['strategic', '{"data":{"strategic":"2"}}'],
      ['json', '[{"op":"add","path":"/data/json","value":"3"}]'],
    ] as const) {
      await kubectl('patch', 'configmap', 'a', '--type', type, '-p', patch);
    }
    assert.match(
      await kubectl('get', 'configmap', 'a', '-o', 'jsonpath={.data}'),
      /"json":"3".*"k":"v".*"merge":"1".*"strategic":"2"/,
    );
    assert.match(await kubectl('get', 'configmaps'), /NAME\s+DATA\s+AGE\na\s+4/);

    await kubectl('apply', '-f', join(folder, 'crd.json'));
    await kubectl('wait', '--for=condition=Established', 'crd/widgets.example.com', '--timeout=10s');
    await kubectl('apply', '--server-side', '-f', join(folder, 'widget.yaml'));
    assert.equal(await kubectl('get', 'wd', 'w', '-o', 'jsonpath={.spec.size}'), '3');
    await assert.rejects(
      kubectl('patch', 'widget', 'w', '--type=merge', '-p', '{"spec":{"size":0}}'),
      /greater than or equal to 1/,
    );
    assert.match(await kubectl('explain', 'widget.spec'), /size\s+<integer>/);
    await kubectl('delete', '-f', join(folder, 'widget.yaml'));
    await kubectl('delete', 'configmap', 'a');
    assert.equal(await kubectl('get', 'configmap/a', 'widget/w', '--ignore-not-found', '-o', 'name'), '');
  });
}

test('the slice, twice with one seed, gives one history', async () => {
  const history = async () => {
    await using cluster = await createCluster({ seed: 11 });
    await live(cluster);
    return String(cluster.history());
  };
  assert.equal(await history(), await history());
});
