import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Deployment, DeploymentSpec, ReplicaSet } from '../../../types/apps/v1.generated.ts';
import { type Action, plan } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const PREFIX = 'deployment.kubernetes.io/';

const template = (image: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'a', image }] },
});

const deployment = (spec: object, annotations: Record<string, string> = {}): Live<Deployment> =>
  ({
    metadata: {
      name: 'web',
      namespace: 'n',
      uid: 'd',
      generation: 2,
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations,
    },
    spec: {
      replicas: 10,
      selector: { matchLabels: { app: 'web' } },
      template: template('app:2'),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
      ...spec,
    } as DeploymentSpec,
    status: {},
  }) as unknown as Live<Deployment>;

interface SetShape {
  readonly available?: number;
  readonly desired?: number;
  readonly max?: number;
  readonly revision?: number | string;
}

/** A ReplicaSet of `app:N`, revision N. */
const set = (
  version: number,
  replicas: number,
  { available = replicas, desired = 10, max = 13, revision = version }: SetShape = {},
) =>
  ({
    metadata: {
      name: `web-${version}`,
      namespace: 'n',
      uid: `s${version}`,
      generation: 1,
      creationTimestamp: `2026-01-01T00:0${version}:00Z`,
      annotations: {
        [`${PREFIX}revision`]: String(revision),
        [`${PREFIX}desired-replicas`]: String(desired),
        [`${PREFIX}max-replicas`]: String(max),
      },
    },
    spec: { replicas, template: template(`app:${version}`) },
    status: { replicas, availableReplicas: available, readyReplicas: available, observedGeneration: 1 },
  }) as unknown as Live<ReplicaSet>;

function told(action: Action): string[] {
  switch (action.type) {
    case 'create':
      return [`create with ${action.set.spec?.replicas}`];
    case 'update':
      return action.scaled ? [`${action.set.metadata?.name} ${action.scaled.from}→${action.scaled.to}`] : [];
    case 'delete':
      return [`delete ${action.name}`];
    case 'rollback':
      return [`${action.event[1]} ${action.deployment.spec?.template.spec.containers[0]?.image}`];
    default:
      return [];
  }
}

interface Case {
  readonly name: string;
  readonly spec?: object;
  readonly annotations?: Record<string, string>;
  readonly sets: readonly Live<ReplicaSet>[];
  readonly does: readonly string[];
}

const to = (revision: string) => ({ 'deprecated.deployment.rollback.to': revision });

const cases: Case[] = [
  { name: 'the first ReplicaSet has all', sets: [], does: ['create with 10'] },
  { name: 'a new template gets what may be more', sets: [set(1, 10)], does: ['create with 3'] },
  { name: 'the old gives what may be missing', sets: [set(1, 10), set(2, 3, { available: 0 })], does: ['web-1 10→8'] },
  { name: 'no more while the new is not well', sets: [set(1, 8), set(2, 5, { available: 0 })], does: [] },
  { name: 'and as much as the new makes up for', sets: [set(1, 8), set(2, 5)], does: ['web-1 8→3'] },
  { name: 'the unhealthy of the old go first', sets: [set(1, 8, { available: 5 }), set(2, 5)], does: ['web-1 8→3'] },
  {
    name: 'scaled in the midst: in proportion',
    spec: { replicas: 5 },
    sets: [set(1, 8), set(2, 5, { available: 0 })],
    does: ['web-1 8→5', 'web-2 5→3'],
  },
  {
    name: 'what a ReplicaSet says of itself may be old',
    spec: { replicas: 5 },
    sets: [set(1, 5, { available: 8, desired: 5, max: 8 }), set(2, 5, { available: 0, desired: 5, max: 8 })],
    does: ['web-1 5→3'],
  },
  {
    name: 'Recreate: first all of the old',
    spec: { strategy: { type: 'Recreate' } },
    sets: [set(1, 10)],
    does: ['web-1 10→0'],
  },
  { name: 'paused: sizes alone', spec: { paused: true, replicas: 4 }, sets: [set(1, 10)], does: ['web-1 10→4'] },
  {
    name: 'back to the one before',
    annotations: to('0'),
    sets: [set(1, 0), set(2, 10)],
    does: ['DeploymentRollback app:1'],
  },
  {
    name: 'back to what it is',
    annotations: to('2'),
    sets: [set(1, 0), set(2, 10)],
    does: ['DeploymentRollbackTemplateUnchanged app:2'],
  },
  {
    name: 'back to what is not',
    annotations: to('7'),
    sets: [set(1, 0), set(2, 10)],
    does: ['DeploymentRollbackRevisionNotFound app:2'],
  },
];

describe('what a Deployment does', () => {
  for (const { name, spec = {}, annotations, sets, does } of cases) {
    it(name, () => {
      const observed = {
        deployment: deployment(spec, annotations),
        sets: { owned: sets, adopt: [], release: [] },
        podsOf: () => [],
      };
      assert.deepEqual(plan(observed, NOW).actions.flatMap(told), does);
    });
  }
});

describe('which revision a new ReplicaSet is', () => {
  const revisions: readonly [before: string, next: string][] = [
    ['4', '5'],
    ['3546343826724305832', '3546343826724305833'],
    ['9223372036854775808', '1'],
    ['fourth', '1'],
  ];
  for (const [before, next] of revisions) {
    it(`${next} after ${before}`, () => {
      const owned = [set(1, 10, { revision: before })];
      const { actions } = plan(
        { deployment: deployment({}), sets: { owned, adopt: [], release: [] }, podsOf: () => [] },
        NOW,
      );
      const made = actions.find(({ type }) => type === 'create') as { set: ReplicaSet };
      assert.equal(made.set.metadata?.annotations?.[`${PREFIX}revision`], next);
    });
  }
});

describe('what a Deployment says', () => {
  const saysAfter = (
    annotations: Record<string, string>,
    before: object,
    sets: readonly Live<ReplicaSet>[],
  ): string => {
    const known = { ...deployment({}, annotations), status: before } as unknown as Live<Deployment>;
    const observed = { deployment: known, sets: { owned: sets, adopt: [], release: [] }, podsOf: () => [] };
    const { actions } = plan(observed, NOW);
    const status = actions.find(({ type }) => type === 'status') as { status: { replicas: number } } | undefined;
    const scaled = actions.some((action) => action.type === 'update' && action.scaled);
    return `${scaled ? 'scales' : 'stays'}, says ${status?.status.replicas ?? 'nothing'}`;
  };

  it('once, of numbers that change while it scales', () => {
    const still = [set(1, 8), set(2, 5, { available: 0 })];
    const found = plan(
      { deployment: deployment({}), sets: { owned: still, adopt: [], release: [] }, podsOf: () => [] },
      NOW,
    ).actions.find(({ type }) => type === 'status') as
      | { status: object; annotations: Record<string, string> }
      | undefined;
    const { status: told, annotations } = found!;
    assert.equal(saysAfter(annotations, told, still), 'stays, says nothing');
    assert.equal(saysAfter(annotations, { ...told, replicas: 1 }, still), 'stays, says 13');
    const better = [set(1, 8), set(2, 5, { available: 1 })];
    assert.equal(saysAfter(annotations, { ...told, readyReplicas: 9 }, better), 'scales, says nothing');
    assert.equal(
      saysAfter(annotations, { ...told, observedGeneration: 0 }, better),
      'scales, says 13',
      'what was asked for is news',
    );
  });
});
