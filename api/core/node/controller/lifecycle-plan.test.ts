import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { plan } from './lifecycle-plan.ts';
import { plan as planEviction } from './taint-eviction.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const KEY = 'node.kubernetes.io/';

const node = (conditions: Record<string, string>, spec: object = {}): Live<Node> =>
  ({
    metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: '1' },
    spec,
    status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }) as unknown as Live<Node>;

interface Case {
  readonly name: string;
  readonly node: Live<Node>;
  /** How long ago something was heard of it, with a grace of 50 s. */
  readonly silentS?: number;
  readonly taints?: readonly string[];
  readonly unknown?: number;
}

const cases: Case[] = [
  { name: 'a node that is well', node: node({ Ready: 'True' }) },
  {
    name: 'one that is not ready',
    node: node({ Ready: 'False' }),
    taints: ['not-ready:NoSchedule', 'not-ready:NoExecute'],
  },
  {
    name: 'pressure, in the order of the conditions',
    node: node({ PIDPressure: 'True', NetworkUnavailable: 'True', DiskPressure: 'True', Ready: 'True' }),
    taints: ['pid-pressure:NoSchedule', 'network-unavailable:NoSchedule', 'disk-pressure:NoSchedule'],
  },
  { name: 'cordoned', node: node({ Ready: 'True' }, { unschedulable: true }), taints: ['unschedulable:NoSchedule'] },
  {
    name: 'silent for too long',
    node: node({ Ready: 'True' }),
    silentS: 51,
    unknown: 4,
    taints: ['unreachable:NoSchedule', 'unreachable:NoExecute'],
  },
  { name: 'one that has never spoken has longer', node: node({}), silentS: 51 },
  {
    name: 'but not for ever',
    node: node({}),
    silentS: 61,
    unknown: 4,
    taints: ['unreachable:NoSchedule', 'unreachable:NoExecute'],
  },
];

describe('what becomes of nodes', () => {
  for (const { name, node: one, silentS = 0, taints, unknown } of cases) {
    it(name, () => {
      const observed = { node: one, lease: undefined, heardMs: NOW - silentS * 1000, graceMs: 50_000 };
      const { actions } = plan(observed, NOW);
      const told = actions.map((action) =>
        action.type === 'taints'
          ? action.taints.map(({ key, effect }) => `${key?.replace(KEY, '')}:${effect}`)
          : action.conditions.filter(({ status }) => status === 'Unknown').length,
      );
      assert.deepEqual(told, [...(unknown === undefined ? [] : [unknown]), ...(taints ? [taints] : [])]);
    });
  }
});

describe('pods beside NoExecute taints', () => {
  const taint = (more: object = {}) => node({}, { taints: [{ key: 'k', effect: 'NoExecute', ...more }] });
  const pod = (tolerations: object[]): Live<Pod> => ({ metadata: {}, spec: { tolerations } }) as unknown as Live<Pod>;
  const forS = (tolerationSeconds?: number) => ({
    key: 'k',
    operator: 'Exists',
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  });
  const rows: [string, Live<Node>, object[], boolean, number?][] = [
    ['not tolerated', taint(), [], true],
    ['tolerated for ever', taint(), [forS()], false],
    ['tolerated for a while, from when it is seen', taint(), [forS(30)], false, 20],
    ['from when it was set', taint({ timeAdded: '2026-01-01T00:09:35Z' }), [forS(30)], false, 5],
    ['and then no more', taint({ timeAdded: '2026-01-01T00:09:00Z' }), [forS(30)], true],
    ['the shortest counts', taint(), [forS(), forS(5)], true],
    ['NoSchedule is for others', node({}, { taints: [{ key: 'k', effect: 'NoSchedule' }] }), [], false],
  ];
  for (const [name, one, tolerations, leaves, againAfterS] of rows) {
    it(name, () => {
      const { actions, againAfterMs } = planEviction({ pod: pod(tolerations), node: one, seenMs: NOW - 10_000 }, NOW);
      assert.equal(actions.length === 1, leaves);
      assert.equal(againAfterMs === undefined ? undefined : againAfterMs / 1000, againAfterS);
    });
  }
});
