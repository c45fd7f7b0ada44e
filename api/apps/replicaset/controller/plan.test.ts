import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { type Action, plan, withFailure } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

interface PodShape {
  readonly ready?: boolean;
  readonly readyS?: number;
  readonly deleting?: boolean;
  readonly node?: string;
  readonly cost?: number;
  readonly labels?: Record<string, string>;
}

const pod = (
  name: string,
  { ready = true, readyS = 300, deleting, node = 'one', cost, labels = { app: 'x' } }: PodShape = {},
): Live<Pod> => {
  const time = new Date(NOW - readyS * 1000).toISOString();
  return {
    metadata: {
      name,
      uid: name,
      labels,
      creationTimestamp: time,
      ...(deleting ? { deletionTimestamp: time } : {}),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': String(cost) } }),
    },
    spec: { containers: [], ...(node ? { nodeName: node } : {}) },
    status: {
      phase: node ? 'Running' : 'Pending',
      conditions: ready ? [{ type: 'Ready', status: 'True', lastTransitionTime: time }] : [],
    },
  } as unknown as Live<Pod>;
};

const told = (action: Action): string => {
  switch (action.type) {
    case 'create':
      return `create ${action.count}`;
    case 'delete':
      return `delete ${action.pods.map(({ metadata }) => metadata.name)}`;
    case 'status': {
      const {
        replicas,
        readyReplicas = 0,
        availableReplicas = 0,
        fullyLabeledReplicas = 0,
        terminatingReplicas,
      } = action.status;
      return `status ${replicas} ${fullyLabeledReplicas} ${readyReplicas} ${availableReplicas} ${terminatingReplicas}`;
    }
    case 'claim':
      return 'claim';
  }
};

interface Case {
  readonly name: string;
  readonly replicas: number;
  readonly minReadySeconds?: number;
  readonly deleting?: boolean;
  readonly pods: readonly Live<Pod>[];
  /** The status in short: replicas, fully labelled, ready, available, terminating. */
  readonly does: readonly string[];
  readonly againAfterS?: number;
}

const cases: Case[] = [
  { name: 'makes what is missing', replicas: 3, pods: [pod('a')], does: ['create 2', 'status 3 3 1 1 0'] },
  { name: 'no more than 500 at once', replicas: 2000, pods: [], does: ['create 500', 'status 500 500 0 0 0'] },
  {
    name: 'does not count what goes',
    replicas: 1,
    pods: [pod('a', { deleting: true })],
    does: ['create 1', 'status 1 1 0 0 1'],
  },
  { name: 'makes nothing while it is deleted', replicas: 1, deleting: true, pods: [], does: ['status 0 0 0 0 0'] },
  {
    name: 'takes those without a node first',
    replicas: 1,
    pods: [pod('a'), pod('b', { node: '', ready: false })],
    does: ['delete b', 'status 1 1 1 1 0'],
  },
  {
    name: 'then those not ready',
    replicas: 1,
    pods: [pod('a'), pod('b', { ready: false })],
    does: ['delete b', 'status 1 1 1 1 1'],
  },
  {
    name: 'then the cheap',
    replicas: 1,
    pods: [pod('a', { cost: -5 }), pod('b', { cost: 5, readyS: 10 })],
    does: ['delete a', 'status 1 1 1 1 1'],
  },
  {
    name: 'then those that crowd a node',
    replicas: 2,
    pods: [pod('a'), pod('b'), pod('c', { node: 'two' })],
    does: ['delete a', 'status 2 2 2 2 1'],
  },
  {
    name: 'then the young',
    replicas: 1,
    pods: [pod('a', { readyS: 10 }), pod('b', { node: 'two', readyS: 1000 })],
    does: ['delete a', 'status 1 1 1 1 1'],
  },
  {
    name: 'ready is not yet available',
    replicas: 1,
    minReadySeconds: 60,
    pods: [pod('a', { readyS: 20 })],
    does: ['status 1 1 1 0 0'],
    againAfterS: 40,
  },
  {
    name: 'labels of the template',
    replicas: 1,
    pods: [pod('a', { labels: { app: 'y' } })],
    does: ['status 1 0 1 1 0'],
  },
];

describe('what a ReplicaSet does', () => {
  for (const { name, replicas, minReadySeconds = 0, deleting = false, pods, does, againAfterS } of cases) {
    it(name, () => {
      const { actions, againAfterMs } = plan(
        {
          generation: 1,
          deleting,
          replicas,
          minReadySeconds,
          template: { metadata: { labels: { app: 'x' } }, spec: { containers: [] } },
          status: { replicas: -1 },
          pods: { owned: pods, adopt: [], release: [] },
          related: () => pods.filter(({ metadata }) => !metadata.deletionTimestamp),
          countsTerminating: true,
        },
        NOW,
      );
      assert.deepEqual(actions.map(told), does);
      assert.equal(againAfterMs === undefined ? undefined : againAfterMs / 1000, againAfterS);
    });
  }

  it('tells a failure as it first came', () => {
    const first = withFailure({ replicas: 0 }, 'FailedCreate', 'no', '2026-01-01T00:00:00Z');
    assert.deepEqual(withFailure(first, 'FailedCreate', 'still no', '2026-01-01T00:01:00Z'), first);
  });
});
