import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type {
  ControllerRevision,
  StatefulSet,
  StatefulSetSpec,
  StatefulSetStatus,
} from '../../../types/apps/v1.generated.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/core/v1.generated.ts';
import { type Action, plan } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const BEFORE = '2026-01-01T00:05:00Z';

const template = (image: string) => ({
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'a', image }] },
});

/** The revision of `app:N`. */
const revision = (version: number): Live<ControllerRevision> =>
  ({
    metadata: { name: `x-r${version}`, namespace: 'n', labels: { 'controller.kubernetes.io/hash': `r${version}` } },
    data: { spec: { template: { ...template(`app:${version}`), $patch: 'replace' } } },
    revision: version,
  }) as unknown as Live<ControllerRevision>;

const statefulSet = (
  version: number,
  spec: Partial<StatefulSetSpec>,
  status: Partial<StatefulSetStatus>,
): Live<StatefulSet> =>
  ({
    metadata: { name: 'x', namespace: 'n', uid: 'set', generation: 1, creationTimestamp: BEFORE },
    spec: {
      replicas: 3,
      serviceName: 'x',
      selector: { matchLabels: { app: 'x' } },
      template: template(`app:${version}`),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
    status: { currentRevision: 'x-r1', ...status },
  }) as unknown as Live<StatefulSet>;

interface PodShape {
  readonly version?: number;
  readonly ready?: boolean;
  readonly deleting?: boolean;
  readonly phase?: string;
}

const pod = (ordinal: number, { version = 1, ready = true, deleting, phase = 'Running' }: PodShape = {}): Live<Pod> =>
  ({
    metadata: {
      name: `x-${ordinal}`,
      namespace: 'n',
      uid: `p${ordinal}`,
      labels: { app: 'x', 'controller-revision-hash': `x-r${version}` },
      ...(deleting ? { deletionTimestamp: BEFORE } : {}),
    },
    spec: { containers: [] },
    status: { phase, conditions: ready ? [{ type: 'Ready', status: 'True', lastTransitionTime: BEFORE }] : [] },
  }) as unknown as Live<Pod>;

const claimOf = (name: string): Live<PersistentVolumeClaim> =>
  ({ metadata: { name, namespace: 'n', uid: name } }) as unknown as Live<PersistentVolumeClaim>;

function told(action: Action): string[] {
  switch (action.type) {
    case 'create': {
      const { name, labels } = action.pod.metadata ?? {};
      const claims = action.claims.map(({ metadata }) => metadata?.name);
      return [`create ${name} ${labels?.['controller-revision-hash']}${claims.length > 0 ? ` with ${claims}` : ''}`];
    }
    case 'delete':
      return [`delete ${action.pod.metadata.name}`];
    case 'claim owners':
      return [`${action.name} of ${action.owners.map(({ kind, name }) => `${kind}/${name}`)}`];
    case 'revision':
      return [`revision ${action.change}`];
    case 'forget':
      return [`forget ${action.name}`];
    default:
      return [];
  }
}

interface Case {
  readonly name: string;
  readonly version?: number;
  readonly spec?: Partial<StatefulSetSpec>;
  readonly status?: Partial<StatefulSetStatus>;
  readonly pods: readonly Live<Pod>[];
  readonly claims?: readonly string[];
  readonly does: readonly string[];
}

const data = {
  volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
} as unknown as Partial<StatefulSetSpec>;
const retention = (whenDeleted: string, whenScaled: string) => ({
  ...data,
  persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
});

const cases: Case[] = [
  { name: 'begins with the first', pods: [], does: ['create x-0 x-r1'] },
  { name: 'goes on when that is well', pods: [pod(0)], does: ['create x-1 x-r1'] },
  { name: 'and waits while it is not', pods: [pod(0, { ready: false })], does: [] },
  {
    name: 'in parallel makes all',
    spec: { podManagementPolicy: 'Parallel' },
    pods: [pod(1, { ready: false })],
    does: ['create x-0 x-r1', 'create x-2 x-r1'],
  },
  { name: 'counts from where it is told', spec: { ordinals: { start: 5 } }, pods: [pod(5)], does: ['create x-6 x-r1'] },
  {
    name: 'takes what is below the first number, from the highest',
    spec: { replicas: 1, ordinals: { start: 2 } },
    pods: [pod(0), pod(1), pod(2)],
    does: ['delete x-1'],
  },
  { name: 'takes from the highest', spec: { replicas: 1 }, pods: [pod(0), pod(1), pod(2)], does: ['delete x-2'] },
  { name: 'one at a time', spec: { replicas: 1 }, pods: [pod(0), pod(1), pod(2, { deleting: true })], does: [] },
  {
    name: 'makes a failed one anew',
    pods: [pod(0), pod(1, { phase: 'Failed', ready: false }), pod(2)],
    does: ['delete x-1'],
  },
  { name: 'a new template: the highest first', version: 2, pods: [pod(0), pod(1), pod(2)], does: ['delete x-2'] },
  {
    name: 'then the next, when that is well',
    version: 2,
    pods: [pod(0), pod(1), pod(2, { version: 2 })],
    does: ['delete x-1'],
  },
  { name: 'not before', version: 2, pods: [pod(0), pod(1), pod(2, { version: 2, ready: false })], does: [] },
  {
    name: 'not even in parallel, while it is made',
    version: 2,
    spec: { podManagementPolicy: 'Parallel' },
    pods: [pod(0), pod(1)],
    does: ['create x-2 x-r2'],
  },
  {
    name: 'the partition keeps the old',
    version: 2,
    spec: { updateStrategy: { rollingUpdate: { partition: 2 } } },
    pods: [pod(0), pod(1), pod(2, { version: 2 })],
    does: [],
  },
  {
    name: 'and makes them as they were',
    version: 2,
    spec: { updateStrategy: { rollingUpdate: { partition: 2 } } },
    pods: [pod(0), pod(2, { version: 2 })],
    does: ['create x-1 x-r1'],
  },
  {
    name: 'OnDelete deletes nothing',
    version: 2,
    spec: { updateStrategy: { type: 'OnDelete' } },
    pods: [pod(0), pod(1), pod(2)],
    does: [],
  },
  {
    name: 'and makes the new',
    version: 2,
    spec: { updateStrategy: { type: 'OnDelete' } },
    status: { currentReplicas: 3 },
    pods: [pod(1), pod(2)],
    does: ['create x-0 x-r2'],
  },
  { name: 'claims come with their pod', spec: data, pods: [], does: ['create x-0 x-r1 with data-x-0'] },
  { name: 'those that are there stay', spec: data, pods: [], claims: ['data-x-0'], does: ['create x-0 x-r1'] },
  {
    name: 'claims that go with the set',
    spec: { ...retention('Delete', 'Retain'), replicas: 1 },
    pods: [pod(0)],
    claims: ['data-x-0'],
    does: ['data-x-0 of StatefulSet/x'],
  },
  {
    name: 'claims that go with what is scaled away',
    spec: { ...retention('Retain', 'Delete'), replicas: 1 },
    pods: [pod(0), pod(1)],
    claims: ['data-x-0', 'data-x-1'],
    does: ['data-x-1 of Pod/x-1', 'delete x-1'],
  },
];

describe('what a StatefulSet does', () => {
  for (const { name, version = 1, spec = {}, status = {}, pods, claims = [], does } of cases) {
    it(name, () => {
      const observed = {
        set: statefulSet(version, spec, status),
        pods: { owned: pods, adopt: [], release: [] },
        revisions: version === 1 ? [revision(1)] : [revision(1), revision(2)],
        claim: (wanted: string) => (claims.includes(wanted) ? claimOf(wanted) : undefined),
      };
      assert.deepEqual(plan(observed, NOW).actions.flatMap(told), does);
    });
  }

  it('a template that is new is written down first', () => {
    const set = statefulSet(2, {}, {});
    const observed = {
      set,
      pods: { owned: [], adopt: [], release: [] },
      revisions: [revision(1)],
      claim: () => undefined,
    };
    assert.equal(told(plan(observed, NOW).actions[0] as Action)[0], 'revision create');
  });
});
