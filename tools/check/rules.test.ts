import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LAYERS } from '../layers.ts';
import { checkBrowserBuild } from './browser.ts';
import { checkSource, placeOf } from './rules.ts';

function rulesBroken(path: string, text: string): string[] {
  return checkSource({ path, text }).map((problem) => problem.rule);
}

const PLACES: readonly [path: string, row: string, folder: string][] = [
  ['index.ts', '.', ''],
  ['libs/base/clock.ts', 'libs/base', 'libs/base'],
  ['libs/base/node/clock.ts', 'libs/*/node', 'libs/base/node'],
  ['libs/streaming/spdy/frame.ts', 'libs/*', 'libs/streaming'],
  ['api/types.generated.ts', 'api', 'api'],
  ['api/apps/deployment/kind.ts', 'api/*/*', 'api/apps/deployment'],
  ['api/apps/deployment/versions/v1.ts', 'api/*/*', 'api/apps/deployment'],
  ['api/apps/deployment/controller/plan.ts', 'api/*/*/controller', 'api/apps/deployment/controller'],
  ['control-plane/store/drivers/memory/a.ts', 'control-plane/store/drivers/*', 'control-plane/store/drivers/memory'],
  ['control-plane/store/drivers/lmdb/a.ts', 'control-plane/store/drivers/lmdb', 'control-plane/store/drivers/lmdb'],
  ['control-plane/scheduler/plugins/fit/a.ts', 'control-plane/scheduler', 'control-plane/scheduler'],
];

test('the row with the longest folder rules a file', () => {
  for (const [path, row, folder] of PLACES) {
    const place = placeOf(path);
    assert.deepEqual([place?.layer.folder, place?.folder], [row, folder], path);
  }
});

const IMPORTS: readonly [path: string, specifier: string, allowed: boolean][] = [
  ['libs/base/queue.ts', './assert.ts', true],
  ['libs/base/queue.ts', '../kind/kind.ts', false],
  ['libs/base/queue.ts', './node/clock.ts', false],
  ['libs/base/queue.ts', './assert', false],
  ['libs/base/queue.ts', 'node:fs', false],
  ['libs/base/queue.ts', 'fs/promises', false],
  ['libs/base/queue.ts', 'https://example.com/a.ts', false],
  ['libs/base/queue.ts', '#base/queue', false],
  ['libs/base/queue.ts', '../../../outside.ts', false],
  ['libs/base/node/clock.ts', 'node:timers', true],
  ['libs/base/node/clock.ts', '../clock.ts', true],
  ['libs/machinery/meta.ts', '../base/assert.ts', true],
  ['libs/machinery/meta.ts', '../kind/kind.ts', false],
  ['libs/machinery/yaml.ts', 'js-yaml', true],
  ['libs/machinery/yaml.ts', 'left-pad', false],
  ['libs/machinery/yaml.ts', '@scope/left-pad/sub', false],
  ['libs/kind/kind.ts', '../machinery/meta.ts', true],
  ['libs/kind/kind.ts', '../client/client.ts', false],
  ['api/apps/deployment/kind.ts', '../../core/pod/validation.ts', true],
  ['api/apps/deployment/kind.ts', './controller/controller.ts', false],
  ['api/apps/deployment/controller/controller.ts', '../kind.ts', true],
  ['api/apps/deployment/controller/controller.ts', '../../replicaset/controller/plan.ts', true],
  ['control-plane/store/cache.ts', './drivers/lmdb/driver.ts', false],
  ['control-plane/store/cache.ts', 'lmdb', false],
  ['control-plane/store/drivers/lmdb/driver.ts', 'lmdb', true],
  ['control-plane/apiserver/registry.ts', '../store/store.ts', true],
  ['control-plane/apiserver/registry.ts', '../store/drivers/lmdb/driver.ts', false],
  ['control-plane/apiserver/registry.ts', '../scheduler/cache.ts', false],
  ['control-plane/apiserver/registry.ts', '../../api/apps/deployment/kind.ts', true],
  ['control-plane/apiserver/registry.ts', '../../api/apps/deployment/controller/controller.ts', false],
  ['control-plane/apiserver/registry.ts', '../../testing/cluster.ts', false],
  ['control-plane/apiserver/registry.test.ts', '../../testing/cluster.ts', true],
  ['control-plane/apiserver/registry.test.ts', '../../libs/base/node/clock.ts', true],
  ['control-plane/apiserver/registry.test.ts', '../scheduler/cache.ts', false],
  ['control-plane/controller-manager/run.ts', '../../api/apps/deployment/controller/controller.ts', true],
  ['control-plane/scheduler/cache.ts', '../store/store.ts', false],
  ['control-plane/scheduler/cache.ts', '../apiserver/registry.ts', false],
  ['node/kubelet/sync.ts', '../cri/client.ts', true],
  ['node/kubelet/sync.ts', '../kube-proxy/rules.ts', false],
  ['node/kube-proxy/rules.ts', '../../control-plane/apiserver/registry.ts', false],
  ['addons/dns/server.ts', '../../node/kubelet/sync.ts', false],
  ['testing/cluster.ts', '../control-plane/apiserver/registry.ts', true],
  ['testing/cluster.ts', '../bin/tutti.ts', false],
  ['bin/tutti.ts', '../testing/cluster.ts', true],
  ['index.ts', './testing/cluster.ts', true],
  ['index.ts', './bin/tutti.ts', false],
];

for (const [path, specifier, allowed] of IMPORTS) {
  test(`${path} ${allowed ? 'may' : 'may not'} import ${specifier}`, () => {
    assert.deepEqual(rulesBroken(path, `import { a } from '${specifier}';\n`), allowed ? [] : ['import']);
  });
}

const FILES: readonly [name: string, path: string, text: string, ...expected: string[]][] = [
  ['an engine that takes the time', 'libs/kind/a.ts', 'Date.now();\n', 'global'],
  ['a host that takes the time', 'libs/base/node/a.ts', 'Date.now();\n'],
  ['a test that takes the time', 'libs/kind/a.test.ts', 'Date.now();\n'],
  ['a host with state in its module', 'libs/base/node/a.ts', 'let a = 1;\n', 'module-state'],
  ['a tool with state in its module', 'tools/a.ts', 'let a = 1;\n'],
  ['a file of 700 lines', 'libs/kind/a.ts', '\n'.repeat(700)],
  ['a file of 701 lines', 'libs/kind/a.ts', '\n'.repeat(701), 'length'],
  ['a generated file of 701 lines', 'libs/kind/a.generated.ts', '\n'.repeat(701)],
  ['an unfinished file', 'libs/kind/a.ts', '// TO' + 'DO: more\n', 'unfinished'],
  ['a file that gives up', 'libs/kind/a.ts', "throw new Error('not " + "implemented');\n", 'unfinished'],
  ['a folder that no row names', 'elsewhere/a.ts', '', 'layer'],
];

for (const [name, path, text, ...expected] of FILES) {
  test(`${name}: ${expected[0] ?? 'nothing wrong'}`, () => assert.deepEqual(rulesBroken(path, text), expected));
}

test('a problem says where it is', () => {
  const [problem] = checkSource({ path: 'libs/kind/a.ts', text: 'const a = 1;\nexport const b = [a, Date.now()];\n' });
  assert.deepEqual([problem?.line, problem?.column], [2, 22]);
});

test('every layer that a row names is one', () => {
  const rows = LAYERS.map((layer) => layer.folder);
  const isLayer = (name: string) =>
    rows.includes(name) ||
    placeOf(`${name}/a.ts`)?.folder === name ||
    rows.some((row) => row.startsWith(name.replace('*', '')));
  for (const layer of LAYERS) {
    for (const name of layer.imports) assert.ok(isLayer(name), `${layer.folder}: ${name}`);
  }
});

test('the browser build names the file that needs Node', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tutti-browser-'));
  try {
    writeFileSync(join(root, 'package.json'), '{}');
    const folder = join(root, 'libs', 'kind');
    mkdirSync(folder, { recursive: true });
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return { path: `libs/kind/${name}`, text };
    };
    const good = write('good.ts', "import { b } from './b.ts';\nexport const a = b;\n");
    const b = write('b.ts', 'export const b = 1;\n');
    assert.deepEqual(await checkBrowserBuild(root, [good, b]), []);
    const bad = write('bad.ts', "\nimport { readFileSync } from 'node:fs';\nexport const c = readFileSync;\n");
    const [problem, ...others] = await checkBrowserBuild(root, [good, b, bad]);
    assert.deepEqual([problem?.path, problem?.line, others.length], ['libs/kind/bad.ts', 2, 0]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
