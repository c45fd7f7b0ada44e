import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes } from '../../../api/resources.ts';
import type { Container, Node, PodSpec } from '../../../api/types/core/v1.generated.ts';
import { one, simulatedNode } from '../../../tests/fixtures/simulated-node.ts';
import type { NodePod } from '../pod/objects.ts';
import { type AdmissionInput, admit } from './admission.ts';

const main = (more: Partial<Container> = {}): Container => ({ name: 'main', image: 'app:1', ...more });
const pod = (spec: Partial<PodSpec> = {}, name = 'app'): NodePod => ({
  metadata: { name, namespace: 'default', uid: name },
  spec: { containers: [main()], ...spec },
});
const asks = (requests: Record<string, string>, name?: string) =>
  pod({ containers: [main({ resources: { requests } })] }, name);
const listens = (hostPort: number, more: object = {}) =>
  pod({ containers: [main({ ports: [{ containerPort: 80, hostPort, protocol: 'TCP', ...more }] })] });
const node: Node = { metadata: { name: 'node-1', labels: { zone: 'a', 'kubernetes.io/os': 'linux' } }, spec: {} };
const tainted = (effect: string): Node => ({ ...node, spec: { taints: [{ key: 'broken', effect }] } });
const allocatable = { cpu: '2', memory: '1Gi', pods: '3' };

test('who is taken, and who is not', async (t) => {
  type Case = [string, Partial<AdmissionInput> & { pod: NodePod }, string | undefined];
  const pressed = (...names: string[]) => new Set(names);
  const cases: Case[] = [
    ['an ordinary pod', { pod: pod() }, undefined],
    ['one that just fits', { pod: asks({ cpu: '500m' }), others: [asks({ cpu: '1500m' })] }, undefined],
    [
      'too little CPU',
      { pod: asks({ cpu: '600m' }), others: [asks({ cpu: '1500m' })] },
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 600, used: 1500, capacity: 2000",
    ],
    [
      'too little memory',
      { pod: asks({ memory: '2Gi' }) },
      "OutOfmemory: Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
    ],
    [
      'pod-level requests and overhead count',
      { pod: pod({ resources: { requests: { cpu: '1900m' } }, overhead: { cpu: '200m' } }) },
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 2100, used: 0, capacity: 2000",
    ],
    [
      'too many pods',
      { pod: pod(), others: [pod(), pod(), pod()] },
      "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
    ],
    ['a resource that others give out', { pod: asks({ 'example.com/gpu': '1' }) }, undefined],
    [
      'another zone',
      { pod: pod({ nodeSelector: { zone: 'b' } }) },
      "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    ['a host port that is free', { pod: listens(80), others: [listens(81)] }, undefined],
    ['a host port of another protocol', { pod: listens(80), others: [listens(80, { protocol: 'UDP' })] }, undefined],
    [
      'on another address',
      { pod: listens(80, { hostIP: '10.0.0.1' }), others: [listens(80, { hostIP: '10.0.0.2' })] },
      undefined,
    ],
    ...([{}, { hostIP: '10.0.0.1' }] as const).map(
      (more): Case => [
        `a host port that is taken ${JSON.stringify(more)}`,
        { pod: listens(80, more), others: [listens(80)] },
        "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
      ],
    ),
    ['a taint for the scheduler', { pod: pod(), node: tainted('NoSchedule') }, undefined],
    [
      'a taint for the node',
      { pod: pod(), node: tainted('NoExecute') },
      "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    ],
    [
      'which it tolerates',
      { pod: pod({ tolerations: [{ operator: 'Exists' }] }), node: tainted('NoExecute') },
      undefined,
    ],
    [
      'another system',
      { pod: pod({ os: { name: 'windows' } }) },
      "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
    ],
    [
      'another system by label',
      { pod: pod({ nodeSelector: { 'kubernetes.io/os': 'windows' } }) },
      "PodOSSelectorNodeLabelDoesNotMatch: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    ],
    [
      'a setting of the whole kernel',
      { pod: pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }) },
      'SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted',
    ],
    [
      'a setting of its own',
      { pod: pod({ securityContext: { sysctls: [{ name: 'net/ipv4/tcp_syncookies', value: '1' }] } }) },
      undefined,
    ],
    [
      'a profile that nobody enforces',
      { pod: pod({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }) },
      'AppArmor: Cannot enforce AppArmor: AppArmor is not enabled on the host',
    ],
    ['no profile', { pod: pod({ securityContext: { appArmorProfile: { type: 'Unconfined' } } }) }, undefined],
    [
      'short of memory, one that asked for none',
      { pod: pod(), pressures: pressed('MemoryPressure') },
      'Evicted: The node had condition: [MemoryPressure]. ',
    ],
    [
      'short of memory, one that asked',
      { pod: asks({ memory: '1Mi' }), pressures: pressed('MemoryPressure') },
      undefined,
    ],
    [
      'short of disk',
      { pod: asks({ memory: '1Mi' }), pressures: pressed('DiskPressure') },
      'Evicted: The node had condition: [DiskPressure]. ',
    ],
    [
      'short of disk, one of the system',
      { pod: pod({ priority: 2_000_001_000 }), pressures: pressed('DiskPressure') },
      undefined,
    ],
  ];
  for (const [name, input, expected] of cases) {
    await t.test(name, () => {
      const all = {
        others: [],
        node,
        allocatable,
        os: 'linux',
        pressures: new Set<string>(),
        appArmor: false,
        ...input,
      };
      const rejection = admit(all);
      assert.equal(rejection && `${rejection.reason}: ${rejection.message}`, expected);
    });
  }
});

test('a pod that does not fit fails at once, and what ends makes room', async () => {
  await using at = await simulatedNode({ images: { 'job:1': { exitAfterMs: 5_000, exitCode: 0 } } });
  const asking = (cpu: string, more: object = {}) => ({
    ...one('job:1', { resources: { requests: { cpu } } }),
    restartPolicy: 'Never' as const,
    ...more,
  });
  await at.create('first', asking('3'));
  await at.advance('1s');
  await at.create('second', asking('2'));
  await at.advance('2s');
  const { status } = await at.get('second');
  const words = "Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000";
  assert.deepEqual(
    [status?.phase, status?.reason, status?.message],
    ['Failed', 'OutOfcpu', `Pod was rejected: ${words}`],
  );
  assert.equal(status?.containerStatuses, undefined);
  assert.ok((await at.told()).includes(`1× OutOfcpu: ${words}`));
  await at.advance('10s');
  assert.equal((await at.get('first')).status?.phase, 'Succeeded');
  await at.create('third', asking('4'));
  await at.advance('2s');
  assert.match(await at.line('third'), /running/);
  await at.api.delete('second');
  await at.advance('2s');
  await assert.rejects(at.get('second'), 'it may be deleted like any other');
});

test('what the node is now is asked before a pod is turned away', async () => {
  await using at = await simulatedNode();
  await at.advance('1s');
  const label = (zone: string) =>
    at.client.resource(nodes).patch('node-1', { metadata: { labels: { zone } } }, { type: 'merge' });
  await label('a');
  await at.create('fits', { ...one('app:1'), nodeSelector: { zone: 'a' } });
  await at.create('elsewhere', { ...one('app:1'), nodeSelector: { zone: 'b' } });
  await at.advance('2s');
  assert.match(await at.line('fits'), /^Running/);
  assert.equal((await at.get('elsewhere')).status?.reason, 'NodeAffinity');
  await label('c');
  await at.advance('20s');
  assert.match(await at.line('fits'), /^Running/, 'what runs goes on');
});
