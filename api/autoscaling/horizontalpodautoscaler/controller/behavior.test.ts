import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Limits, limitReplicas, type Memory, NOTHING_YET, withChange } from './behavior.ts';

const NOW = 10_000_000;
const ago = (seconds: number, replicas: number) => ({ replicas, atMs: NOW - seconds * 1000 });

interface Case {
  readonly name: string;
  readonly wanted: number;
  readonly current: number;
  readonly bounds?: readonly [number, number];
  readonly behavior?: Limits['behavior'];
  readonly memory?: Partial<Memory>;
  readonly replicas: number;
  /** Reasons: whether it was held back by time, then by limits (with `!` where they changed it). */
  readonly told: string;
}

const rules = (scaleUp: object, scaleDown: object = {}): Limits['behavior'] =>
  ({ scaleUp: { selectPolicy: 'Max', ...scaleUp }, scaleDown: { selectPolicy: 'Max', ...scaleDown } }) as never;
const pods = (value: number, periodSeconds = 60) => ({ type: 'Pods', value, periodSeconds });
const percent = (value: number, periodSeconds = 60) => ({ type: 'Percent', value, periodSeconds });

const CASES: Case[] = [
  { name: 'more', wanted: 5, current: 3, replicas: 5, told: 'ReadyForNewScale DesiredWithinRange' },
  { name: 'not more than twice', wanted: 30, current: 3, replicas: 6, told: 'ReadyForNewScale ScaleUpLimit!' },
  { name: 'four of one', wanted: 9, current: 1, replicas: 4, told: 'ReadyForNewScale ScaleUpLimit!' },
  { name: 'the most', wanted: 30, current: 9, replicas: 10, told: 'ReadyForNewScale TooManyReplicas!' },
  { name: 'the least', wanted: 0, current: 3, replicas: 1, told: 'ReadyForNewScale TooFewReplicas!' },
  {
    name: 'no less than was wanted within five minutes',
    wanted: 2,
    current: 8,
    memory: { recommendations: [ago(299, 6), ago(301, 9)] },
    replicas: 6,
    told: 'ScaleDownStabilized DesiredWithinRange',
  },
  {
    name: 'rules: a number of pods in a period',
    wanted: 9,
    current: 4,
    behavior: rules({ policies: [pods(3)] }),
    memory: { added: [ago(30, 2), ago(90, 7)] },
    replicas: 5,
    told: 'ReadyForNewScale ScaleUpLimit!',
  },
  {
    name: 'rules: the policy that allows most',
    wanted: 9,
    current: 4,
    behavior: rules({ policies: [pods(1), percent(50)] }),
    replicas: 6,
    told: 'ReadyForNewScale ScaleUpLimit!',
  },
  {
    name: 'rules: the policy that allows least',
    wanted: 9,
    current: 4,
    behavior: rules({ policies: [pods(1), percent(50)], selectPolicy: 'Min' }),
    replicas: 5,
    told: 'ReadyForNewScale ScaleUpLimit!',
  },
  {
    name: 'rules: never down',
    wanted: 1,
    current: 4,
    behavior: rules({}, { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 }),
    replicas: 4,
    told: 'ReadyForNewScale ScaleDownLimit!',
  },
  {
    name: 'rules: down by a share, with what went before',
    wanted: 1,
    current: 8,
    behavior: rules({}, { policies: [percent(20)], stabilizationWindowSeconds: 0 }),
    memory: { removed: [ago(10, 2)] },
    replicas: 8,
    told: 'ReadyForNewScale ScaleDownLimit!',
  },
  {
    name: 'rules: up only when it has been wanted for long',
    wanted: 9,
    current: 4,
    behavior: rules({ policies: [percent(900)], stabilizationWindowSeconds: 60 }),
    memory: { recommendations: [ago(50, 5), ago(70, 2)] },
    replicas: 5,
    told: 'ScaleUpStabilized DesiredWithinRange',
  },
  {
    name: 'rules: down at once',
    wanted: 2,
    current: 8,
    behavior: rules({}, { policies: [percent(100, 15)], stabilizationWindowSeconds: 0 }),
    memory: { recommendations: [ago(10, 8)] },
    replicas: 2,
    told: 'ReadyForNewScale DesiredWithinRange',
  },
];

for (const { name, wanted, current, bounds = [1, 10], behavior, memory, replicas, told } of CASES) {
  test(name, () => {
    const [minReplicas, maxReplicas] = bounds;
    const limits = { behavior, currentReplicas: current, minReplicas, maxReplicas, nowMs: NOW };
    const limited = limitReplicas(wanted, limits, { ...NOTHING_YET, ...memory });
    assert.equal(limited.replicas, replicas);
    assert.equal(`${limited.stabilized.reason} ${limited.limit.reason}${limited.isLimited ? '!' : ''}`, told);
    assert.deepEqual(limited.recommendations.at(-1), { replicas: wanted, atMs: NOW });
  });
}

test('changes are remembered for an hour, and wishes as long as they count', () => {
  const memory = withChange({ ...NOTHING_YET, added: [ago(3601, 1), ago(3599, 2)] }, 3, 5, NOW);
  assert.deepEqual(memory.added, [ago(3599, 2), { replicas: 2, atMs: NOW }]);
  assert.deepEqual(withChange(NOTHING_YET, 5, 3, NOW).removed, [{ replicas: 2, atMs: NOW }]);
  const limits = { behavior: undefined, currentReplicas: 3, minReplicas: 1, maxReplicas: 10, nowMs: NOW };
  const { recommendations } = limitReplicas(3, limits, { ...NOTHING_YET, recommendations: [ago(301, 9), ago(299, 3)] });
  assert.deepEqual(recommendations, [ago(299, 3), { replicas: 3, atMs: NOW }]);
});
