import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PodSpec } from '../../../api/types/core/v1.generated.ts';
import { one, simulatedNode } from '../../../tests/fixtures/simulated-node.ts';
import { type NodePod, nameOf } from '../pod/objects.ts';
import { victimsOf } from './preemption.ts';

const CRITICAL = 2_000_000_000;
const pod = (name: string, cpu: string, more: Partial<PodSpec> & { limits?: object } = {}): NodePod => {
  const { limits, ...spec } = more;
  const resources = { requests: { cpu, memory: '10Mi' }, ...(limits && { limits: { cpu, memory: '10Mi' } }) };
  const container = cpu === '' ? { name: 'main' } : { name: 'main', resources };
  return { metadata: { name, namespace: 'default', uid: name }, spec: { containers: [container], ...spec } };
};
const critical = (cpu: string, priority = CRITICAL) => pod('critical', cpu, { priority });
const burstable = (name: string, cpu: string, priority = 0) => pod(name, cpu, { priority });
const guaranteed = (name: string, cpu: string) => pod(name, cpu, { limits: {} });

describe('who goes for a critical pod', () => {
  const cases: readonly [string, NodePod, readonly NodePod[], readonly string[]][] = [
    ['nobody for one that is not critical', burstable('app', '2'), [burstable('a', '1')], []],
    ['nobody where all would not be enough', critical('3'), [burstable('a', '1')], []],
    ['one is enough', critical('1'), [burstable('a', '1'), burstable('b', '1')], ['b']],
    ['the lower priority', critical('1'), [burstable('a', '1', 5), burstable('b', '1', 9)], ['a']],
    ['guaranteed ones last', critical('1'), [guaranteed('a', '1'), burstable('b', '1')], ['b']],
    ['both where both are needed', critical('2'), [guaranteed('a', '1'), burstable('b', '1')], ['a', 'b']],
    [
      'one large rather than two small',
      critical('1'),
      [burstable('a', '500m'), burstable('b', '500m'), burstable('c', '1')],
      ['c'],
    ],
    ['who asks for nothing is in nobody’s way', critical('1'), [pod('idle', ''), burstable('b', '2')], ['b']],
    ['critical ones only for more critical ones', critical('1', CRITICAL + 1000), [critical('2')], ['critical']],
    ['and never for equals', critical('1'), [critical('2')], []],
  ];
  for (const [what, wants, others, expected] of cases) {
    test(what, () => {
      const victims = victimsOf(wants, others, { cpu: '2', memory: '1Gi', pods: '10' });
      assert.deepEqual(victims.map(nameOf).sort(), expected);
    });
  }
});

test('a critical pod that does not fit gets its place once others have ended', async () => {
  await using at = await simulatedNode();
  const { allocatable } = at.kubelet.env;
  const half = `${Math.floor(Number(allocatable()['cpu']) * 600)}m`;
  const asks = (cpu: string) => one('app:1', { resources: { requests: { cpu } } });
  await at.create('app', asks(half));
  await at.advance('3s');
  assert.match(await at.line('app'), /^Running/);
  await at.create('system', { ...asks(half), priorityClassName: 'system-node-critical', priority: 2_000_001_000 });
  await at.advance('40s');
  const { status } = await at.get('app');
  assert.deepEqual(
    [status?.phase, status?.reason, status?.message],
    ['Failed', 'Preempting', 'Preempted in order to admit critical pod'],
  );
  assert.match(await at.line('system'), /^Running/);
  // One that is not critical finds no place that way.
  await at.create('late', asks(half));
  await at.advance('3s');
  assert.deepEqual((await at.get('late')).status?.reason, 'OutOfcpu');
});
