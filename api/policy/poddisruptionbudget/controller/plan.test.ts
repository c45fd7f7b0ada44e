import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import type { PodDisruptionBudget } from '../../../types/policy/v1.generated.ts';
import { plan, type Scale } from './plan.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');

const pod = (name: string, { ready = true, deleting = false } = {}): Live<Pod> =>
  ({
    metadata: { name, ...(deleting ? { deletionTimestamp: before(1) } : {}) },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as unknown as Live<Pod>;

const pods = (count: number): Live<Pod>[] => Array.from({ length: count }, (_, i) => pod(`p${i}`));

interface Case {
  readonly name: string;
  readonly spec: object;
  readonly disrupted?: Record<string, string>;
  readonly pods: readonly Live<Pod>[];
  readonly scale?: Scale | Error;
  /** Events, then: healthy/desired of expected, allowed. */
  readonly does: readonly string[];
  readonly againAfterS?: number;
}

const kept = (replicas: number): Scale => ({ replicas, unmanaged: [] });

const cases: Case[] = [
  { name: 'at least a number', spec: { minAvailable: 1 }, pods: pods(3), does: ['3/1 of 3, 2 allowed'] },
  {
    name: 'at least a share, rounded up',
    spec: { minAvailable: '50%' },
    pods: pods(3),
    scale: kept(3),
    does: ['3/2 of 3, 1 allowed'],
  },
  {
    name: 'at most a share gone, rounded up',
    spec: { maxUnavailable: '50%' },
    pods: pods(3),
    scale: kept(3),
    does: ['3/1 of 3, 2 allowed'],
  },
  {
    name: 'of what the owner wants, not of what is',
    spec: { maxUnavailable: 1 },
    pods: pods(1),
    scale: kept(3),
    does: ['1/2 of 3, 0 allowed'],
  },
  {
    name: 'more than all may be gone',
    spec: { maxUnavailable: 5 },
    pods: pods(1),
    scale: kept(3),
    does: ['1/0 of 3, 1 allowed'],
  },
  { name: 'no pods', spec: { minAvailable: 1 }, pods: [], does: ['NoPods', '0/1 of 0, 0 allowed'] },
  {
    name: 'neither the unready nor the deleted are healthy',
    spec: { minAvailable: 1 },
    pods: [pod('a'), pod('b', { ready: false }), pod('c', { deleting: true })],
    does: ['1/1 of 3, 0 allowed'],
  },
  {
    name: 'evicted ones that still run are not either',
    spec: { minAvailable: 1 },
    disrupted: { p0: before(20) },
    pods: pods(3),
    does: ['2/1 of 3, 1 allowed, without p0'],
    againAfterS: 100.001,
  },
  {
    name: 'until it is clear that they stay',
    spec: { minAvailable: 1 },
    disrupted: { p0: before(121) },
    pods: pods(3),
    does: ['NotDeleted', '3/1 of 3, 2 allowed'],
  },
  {
    name: 'pods that nobody keeps',
    spec: { maxUnavailable: 1 },
    pods: pods(2),
    scale: { replicas: 0, unmanaged: ['p0'] },
    does: ['UnmanagedPods', '2/0 of 0, 0 allowed'],
  },
  {
    name: 'owners without scale',
    spec: { maxUnavailable: 1 },
    pods: pods(2),
    scale: new Error('no scale'),
    does: ['CalculateExpectedPodCountFailed', '0/0 of 0, 0 allowed: SyncFailed'],
  },
  {
    name: 'which does not matter to a number',
    spec: { minAvailable: 1 },
    pods: pods(2),
    scale: new Error('no scale'),
    does: ['2/1 of 2, 1 allowed'],
  },
];

describe('what a budget says', () => {
  for (const { name, spec, disrupted, pods: own, scale = kept(0), does, againAfterS } of cases) {
    it(name, () => {
      const budget = {
        metadata: { name: 'b', namespace: 'n', generation: 1 },
        spec,
        status: disrupted ? { disruptedPods: disrupted } : {},
      } as unknown as Live<PodDisruptionBudget>;
      const { actions, againAfterMs } = plan({ budget, pods: own, scale }, NOW);
      const told = actions.map((action) => {
        if (action.type === 'event') return action.event[1];
        const { currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed, disruptedPods, conditions } =
          action.status;
        const reason = conditions?.[0]?.reason === 'SyncFailed' ? ': SyncFailed' : '';
        const without = disruptedPods ? `, without ${Object.keys(disruptedPods)}` : '';
        return `${currentHealthy}/${desiredHealthy} of ${expectedPods}, ${disruptionsAllowed} allowed${without}${reason}`;
      });
      assert.deepEqual(told, does);
      assert.equal(againAfterMs === undefined ? undefined : againAfterMs / 1000, againAfterS);
    });
  }

  it('says nothing twice', () => {
    const bare = { metadata: { name: 'b', generation: 1 }, spec: { minAvailable: 1 } };
    const first = plan({ budget: bare as never, pods: pods(2), scale: kept(0) }, NOW).actions[0];
    assert.ok(first?.type === 'status');
    const budget = { ...bare, status: first.status } as never;
    assert.deepEqual(plan({ budget, pods: pods(2), scale: kept(0) }, NOW + 60_000).actions, []);
  });
});
