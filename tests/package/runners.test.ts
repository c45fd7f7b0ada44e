// The packed package in the runners that its users have: vitest (TypeScript, ES modules), jest (CommonJS, and ES modules),
// bare scripts of both kinds.

import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { findRunner, type Runner } from '../../tools/setup/runners.ts';
import { needs } from '../needs.ts';
import { type Consumer, packedConsumer } from './packed.ts';

let consumer: Consumer;
before(() => {
  consumer = packedConsumer();
});
after(() => consumer?.[Symbol.dispose]());

const pod =
  "{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: { containers: [{ name: 'main', image: 'shop/web:1' }] } }";

/** What is done with a cluster in each of them: nodes, faults, a snapshot, the past, a real endpoint, errors by their class. */
const work = `
  cluster.image('shop/web:1', (one) => one.serve(8080, () => 'hello'));
  await cluster.apply(${pod});
  await cluster.until('pod/web', (one) => one.status.phase === 'Running');
  const { status } = await cluster.client.core.v1.pods('default').get('web');
  check((await cluster.fetch('http://' + status.podIP + ':8080/')).body, 'hello');
  await cluster.nodes[0].crash();
  await cluster.advance('1m');
  const again = await createCluster({ from: await cluster.snapshot(), seed: 2 });
  await again.advance('1m');
  await again[Symbol.asyncDispose]();
  const past = await cluster.at('30s');
  check(/web/.test(await past.table('pods')), true);
  check(/https:/.test(await cluster.kubeconfig()), true);
  const wrong = await createCluster({ nods: 1 }).catch((error) => error);
  check(wrong instanceof ClusterUsageError, true);
`;

function runner(name: Runner): string {
  const folder = findRunner(name) as string;
  symlinkSync(folder, join(consumer.folder, 'node_modules', name));
  return folder;
}

const write = (name: string, text: string) => writeFileSync(join(consumer.folder, name), text);

test('vitest', { skip: needs('vitest') }, () => {
  const folder = runner('vitest');
  write(
    'cluster.vitest.test.ts',
    `import { expect, test } from 'vitest';
import { type Cluster, ClusterUsageError, createCluster } from 'tutti';
const check = (is: unknown, wanted: unknown) => expect(is).toBe(wanted);
test('a cluster', async () => {
  await using cluster: Cluster = await createCluster({ nodes: 2, seed: 1 });
  ${work.replace('const { status } = ', 'const { status = {} } = ')}
}, 120_000);
test('another one, beside it', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  await expect(cluster.until('pod/none', () => true, { within: '1s' })).rejects.toThrow(/seed 1/);
}, 120_000);
`,
  );
  const told = consumer.run(
    process.execPath,
    [join(folder, 'vitest.mjs'), 'run', 'cluster.vitest.test.ts', '--no-color'],
    {
      env: { CI: 'true', NO_COLOR: '1' },
    },
  );
  assert.match(told, /Tests +2 passed/);
});

const jestTest = (load: string) => `${load}
const check = (is, wanted) => expect(is).toBe(wanted);
test('a cluster', async () => {
  const cluster = await createCluster({ nodes: 2, seed: 1 });
  try {
    ${work}
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
}, 120_000);
`;

test('jest, in CommonJS and in ES modules', { skip: needs('jest') }, () => {
  const bin = join(runner('jest'), 'bin/jest.js');
  write('cluster.jest.test.cjs', jestTest("const { ClusterUsageError, createCluster } = require('tutti');"));
  write('cluster.jest.test.mjs', jestTest("import { ClusterUsageError, createCluster } from 'tutti';"));
  // Jest tells on stderr what it ran: its exit code is what is looked at, and that there was something to run.
  const jest = (name: string, env: NodeJS.ProcessEnv) =>
    consumer.run(process.execPath, [bin, '--json', '--testMatch', `**/${name}`], { env });
  for (const [name, env] of [
    ['cluster.jest.test.cjs', {}],
    ['cluster.jest.test.mjs', { NODE_OPTIONS: '--experimental-vm-modules' }],
  ] as const)
    assert.equal(JSON.parse(jest(name, env)).numPassedTests, 1, name);
});

for (const [name, load] of [
  ['script.mjs', "import { ClusterUsageError, createCluster } from 'tutti';"],
  ['script.cjs', "const { ClusterUsageError, createCluster } = require('tutti');"],
] as const) {
  test(`a bare script: ${name}, which ends though it forgets to dispose`, () => {
    const check = "const check = (is, wanted) => { if (is !== wanted) throw new Error(is + ' is not ' + wanted); };";
    const main = `(async () => { const cluster = await createCluster({ nodes: 2, seed: 1 }); ${work} console.log('done'); })();`;
    write(name, `${load}\n${check}\n${main}\n`);
    assert.equal(consumer.run(process.execPath, [name]), 'done');
  });
}
