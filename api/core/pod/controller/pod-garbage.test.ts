import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { type Observed, plan } from './pod-garbage.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

const pod = (name: string, { node, deleting, reason, minute = 0 }: Record<string, unknown> = {}): Live<Pod> =>
  ({
    metadata: {
      name,
      namespace: 'n',
      creationTimestamp: `2026-01-01T00:0${minute}:00Z`,
      ...(deleting ? { deletionTimestamp: '2026-01-01T00:09:00Z' } : {}),
    },
    spec: { containers: [], ...(node ? { nodeName: node } : {}) },
    status: { phase: 'Running', ...(reason ? { reason } : {}) },
  }) as unknown as Live<Pod>;

const node = (ready: boolean, ...taints: string[]): Live<Node> =>
  ({
    metadata: { name: 'one' },
    spec: { taints: taints.map((key) => ({ key, effect: 'NoExecute' })) },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
  }) as unknown as Live<Node>;

const OUT = 'node.kubernetes.io/out-of-service';

const cases: [string, Observed, string[], number?][] = [
  ['a pod of a node that is there', { of: 'pod', pod: pod('a', { node: 'one' }), node: node(true) }, []],
  [
    'one whose node has just vanished',
    { of: 'pod', pod: pod('a', { node: 'one' }), goneSinceMs: NOW - 10_000 },
    [],
    30,
  ],
  ['one whose node is gone', { of: 'pod', pod: pod('a', { node: 'one' }), goneSinceMs: NOW - 40_000 }, ['a orphaned']],
  ['one that waits for a node', { of: 'pod', pod: pod('a') }, []],
  ['one that is deleted and has none', { of: 'pod', pod: pod('a', { deleting: true }) }, ['a']],
  [
    'a deleted one, node out of service',
    { of: 'pod', pod: pod('a', { node: 'one', deleting: true }), node: node(false, OUT) },
    ['a'],
  ],
  [
    'the same while the node is ready',
    { of: 'pod', pod: pod('a', { node: 'one', deleting: true }), node: node(true, OUT) },
    [],
  ],
  ['a deleted one, node silent', { of: 'pod', pod: pod('a', { node: 'one', deleting: true }), node: node(false) }, []],
  ['finished ones as many as may be', { of: 'finished', pods: [pod('a'), pod('b')], max: 2 }, []],
  [
    'too many finished ones: evicted before old before young',
    {
      of: 'finished',
      pods: [pod('young', { minute: 5 }), pod('old', { minute: 1 }), pod('evicted', { minute: 7, reason: 'Evicted' })],
      max: 1,
    },
    ['evicted', 'old'],
  ],
];

describe('pods that the garbage collector of pods deletes', () => {
  for (const [name, observed, deleted, againAfterS] of cases) {
    it(name, () => {
      const { actions, againAfterMs } = plan(observed, NOW);
      const told = actions.flatMap((one) =>
        one.pods.map(({ metadata }) => metadata.name + (one.orphaned ? ' orphaned' : '')),
      );
      assert.deepEqual(told, deleted);
      assert.equal(againAfterMs === undefined ? undefined : againAfterMs / 1000, againAfterS);
    });
  }
});
