import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { ControllerRevision, DaemonSet, DaemonSetSpec } from '../../../types/apps/v1.generated.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { type Action, plan, revisionData } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const BEFORE = '2026-01-01T00:05:00Z';

const template = (image: string) => ({
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'a', image }] },
});

const revision = (version: number): Live<ControllerRevision> =>
  ({
    metadata: { name: `x-r${version}`, namespace: 'n', labels: { 'controller-revision-hash': `r${version}` } },
    data: revisionData(template(`app:${version}`)),
    revision: version,
  }) as unknown as Live<ControllerRevision>;

const daemonSet = (version: number, spec: object): Live<DaemonSet> =>
  ({
    metadata: { name: 'x', namespace: 'n', uid: 'set', generation: 1 },
    spec: {
      selector: { matchLabels: { app: 'x' } },
      template: template(`app:${version}`),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      ...spec,
    } as DaemonSetSpec,
    status: {},
  }) as unknown as Live<DaemonSet>;

const node = (name: string, spec: object = {}, labels: Record<string, string> = {}): Live<Node> =>
  ({ metadata: { name, labels }, spec, status: {} }) as unknown as Live<Node>;

interface PodShape {
  readonly version?: number;
  readonly ready?: boolean;
  readonly deleting?: boolean;
  readonly phase?: string;
}

const pod = (
  name: string,
  nodeName: string,
  { version = 1, ready = true, deleting, phase = 'Running' }: PodShape = {},
): Live<Pod> =>
  ({
    metadata: {
      name,
      namespace: 'n',
      uid: name,
      creationTimestamp: BEFORE,
      labels: { app: 'x', 'controller-revision-hash': `r${version}` },
      ...(deleting ? { deletionTimestamp: BEFORE } : {}),
    },
    spec: { containers: [], nodeName },
    status: { phase, conditions: ready ? [{ type: 'Ready', status: 'True', lastTransitionTime: BEFORE }] : [] },
  }) as unknown as Live<Pod>;

function told(action: Action): string[] {
  switch (action.type) {
    case 'create':
      return [`create on ${action.nodes}`];
    case 'delete':
      return [`delete ${action.pods.map(({ metadata }) => metadata.name)}`];
    default:
      return [];
  }
}

interface Case {
  readonly name: string;
  readonly version?: number;
  readonly spec?: object;
  readonly nodes?: readonly Live<Node>[];
  readonly pods?: readonly Live<Pod>[];
  readonly does: readonly string[];
}

const three = ['a', 'b', 'c'].map((name) => pod(`x-${name}`, name));
const taint = (effect: string) => ({ taints: [{ key: 'k', effect }] });
const onlySsd = {
  template: { ...template('app:1'), spec: { ...template('app:1').spec, nodeSelector: { disk: 'ssd' } } },
};
const surge = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } };

const cases: Case[] = [
  { name: 'one on each node', does: ['create on a,b,c'] },
  { name: 'none where one is', pods: [three[1] as Live<Pod>], does: ['create on a,c'] },
  {
    name: 'none where one is on its way out',
    pods: [pod('x-a', 'a', { deleting: true }), ...three.slice(1)],
    does: [],
  },
  { name: 'on cordoned nodes too', nodes: [node('a', { unschedulable: true })], does: ['create on a'] },
  { name: 'none on tainted ones', nodes: [node('a', taint('NoSchedule'))], does: [] },
  {
    name: 'what is there stays with NoSchedule',
    nodes: [node('a', taint('NoSchedule'))],
    pods: [pod('x-a', 'a')],
    does: [],
  },
  {
    name: 'and goes with NoExecute',
    nodes: [node('a', taint('NoExecute'))],
    pods: [pod('x-a', 'a')],
    does: ['delete x-a'],
  },
  {
    name: 'only where the selector says',
    spec: onlySsd,
    nodes: [node('a'), node('b', {}, { disk: 'ssd' })],
    pods: [pod('x-a', 'a')],
    does: ['delete x-a', 'create on b'],
  },
  {
    name: 'a failed one goes',
    nodes: [node('a')],
    pods: [pod('x-a', 'a', { phase: 'Failed', ready: false })],
    does: ['delete x-a'],
  },
  {
    name: 'of two the second goes',
    nodes: [node('a')],
    pods: [pod('x-1', 'a'), pod('x-2', 'a', { ready: false })],
    does: ['delete x-2'],
  },
  { name: 'a new template: as many as may be missing', version: 2, pods: three, does: ['delete x-a'] },
  {
    name: 'not while one is missing',
    version: 2,
    pods: [pod('y-a', 'a', { version: 2, ready: false }), ...three.slice(1)],
    does: [],
  },
  {
    name: 'broken ones at once',
    version: 2,
    pods: [pod('x-a', 'a', { ready: false }), pod('x-b', 'b', { ready: false }), ...three.slice(2)],
    does: ['delete x-a,x-b'],
  },
  { name: 'OnDelete waits', version: 2, spec: { updateStrategy: { type: 'OnDelete' } }, pods: three, does: [] },
  { name: 'surging: a second one first', version: 2, spec: surge, pods: three, does: ['create on a'] },
  {
    name: 'then the old goes',
    version: 2,
    spec: surge,
    pods: [...three, pod('y-a', 'a', { version: 2 })],
    does: ['delete x-a', 'create on b'],
  },
  {
    name: 'not before the second is well',
    version: 2,
    spec: surge,
    pods: [...three, pod('y-a', 'a', { version: 2, ready: false })],
    does: [],
  },
];

describe('what a DaemonSet does', () => {
  for (const {
    name,
    version = 1,
    spec = {},
    nodes = ['a', 'b', 'c'].map((one) => node(one)),
    pods = [],
    does,
  } of cases) {
    it(name, () => {
      const observed = {
        set: daemonSet(version, spec),
        pods: { owned: pods, adopt: [], release: [] },
        revisions: version === 1 ? [revision(1)] : [revision(1), revision(2)],
        nodes,
      };
      assert.deepEqual(plan(observed, NOW).actions.flatMap(told), does);
    });
  }
});
