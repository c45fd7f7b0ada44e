import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KNOWN_GATES } from '../libs/kind/feature-gates.ts';
import { ClusterUsageError, createCluster } from './index.ts';

const root = join(import.meta.dirname, '..');

test('what may be named is what something asks for, and nothing else', () => {
  const asked = new Set<string>();
  for (const folder of ['api', 'control-plane', 'libs', 'node', 'addons']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
      const text = readFileSync(join(root, folder, name), 'utf8');
      for (const [, gate] of text.matchAll(/[gG]ates\??\.enabled\(\s*'([^']+)'/g)) asked.add(gate as string);
    }
  }
  assert.deepEqual([...asked].sort(), Object.keys(KNOWN_GATES).sort());
});

test('a gate that is not there is told', async () => {
  await using _cluster = await createCluster({
    featureGates: { TaintTolerationComparisonOperators: true },
    components: [],
  });
  for (const [featureGates, message] of [
    [
      { TaintTolerationComparisonOperator: true },
      /^featureGates: there is no gate "TaintTolerationComparisonOperator"; there are Taint/,
    ],
    [
      { TaintTolerationComparisonOperators: 'yes' },
      /^featureGates\.TaintTolerationComparisonOperators is true or false, not "yes"/,
    ],
    [{ toString: true }, /there is no gate "toString"/],
  ] as const)
    await assert.rejects(
      createCluster({ featureGates: featureGates as never }),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
    );
});
