import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Around, byAverage, byShare, byUtilization, byValue, type HpaPod, type PodSamples } from './replicas.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();

interface Given {
  readonly phase?: string;
  readonly ready?: boolean;
  /** When it was started, and when it became what it is, in seconds before now. */
  readonly startedS?: number;
  readonly changedS?: number;
  readonly request?: string;
  readonly deleting?: boolean;
}

const pod = (name: string, given: Given = {}): HpaPod => {
  const { phase = 'Running', ready = true, startedS = 3000, changedS = 2990, request = '1', deleting } = given;
  const requests = request === '' ? {} : { cpu: request };
  return {
    metadata: { name, ...(deleting && { deletionTimestamp: before(1) }) },
    spec: { containers: [{ name: 'web', resources: { requests } }] },
    status: {
      phase,
      startTime: before(startedS),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: before(changedS) }],
    },
  } as unknown as HpaPod;
};

const around = (pods: readonly HpaPod[], currentReplicas = pods.length): Around => ({
  pods,
  currentReplicas,
  tolerances: { scaleUp: 0.1, scaleDown: 0.1 },
  nowMs: NOW,
});

/** Thousandths by pod, measured over half a minute until ten seconds ago. */
const samples = (values: Record<string, number>): PodSamples =>
  new Map(Object.entries(values).map(([name, milli]) => [name, { milli, atMs: NOW - 10_000, windowMs: 30_000 }]));

const three = ['a', 'b', 'c'].map((name) => pod(name));
const CPU = { resource: 'cpu', container: '', percent: 50 };

const SHARES: [string, readonly HpaPod[], Record<string, number>, number | RegExp][] = [
  ['twice the target, twice the pods', three, { a: 1000, b: 1000, c: 1000 }, 6],
  ['half the target, half the pods, rounded up', three, { a: 250, b: 250, c: 250 }, 2],
  ['near the target, as many', three, { a: 540, b: 500, c: 540 }, 3],
  ['a pod without figures uses all that it requests, going down', three, { a: 100, b: 100 }, 3],
  ['and nothing, going up', three, { a: 1000, b: 1000 }, 4],
  ['a pod that is not ready uses nothing, going up', [...three, pod('d', { phase: 'Pending' })], ofAll(900), 6],
  ['and is passed over, going down', [...three, pod('d', { phase: 'Pending' })], ofAll(100), 1],
  ['one that ends does not count', [...three, pod('d', { deleting: true })], { ...ofAll(1000), d: 9000 }, 6],
  ['nor one that failed', [...three, pod('d', { phase: 'Failed' })], { ...ofAll(1000), d: 9000 }, 6],
  ['a start is not work', [...three, pod('d', { startedS: 60, changedS: 35 })], { ...ofAll(500), d: 9000 }, 4],
  ['what was measured since is', [...three, pod('d', { startedS: 90, changedS: 60 })], { ...ofAll(500), d: 900 }, 5],
  ['no pods', [], { a: 1 }, /no pods returned by selector/],
  ['figures of others', three, { x: 1 }, /no metrics returned matched known pods/],
  ['none that count', [pod('a', { phase: 'Pending' })], { a: 1 }, /did not receive metrics for targeted pods/],
  ['no requests', [pod('a', { request: '' })], { a: 1 }, /missing request for cpu in container web of Pod a/],
];

function ofAll(milli: number): Record<string, number> {
  return { a: milli, b: milli, c: milli };
}

for (const [name, pods, values, expected] of SHARES) {
  test(`a share of requests: ${name}`, () => {
    const given = pods.length === 5 ? around(pods) : around(pods, pods.length);
    const run = () => byUtilization(given, samples(values), CPU).replicas;
    if (typeof expected === 'number') assert.equal(run(), expected);
    else assert.throws(run, expected);
  });
}

test('an average, and what is told of it', () => {
  assert.deepEqual(byAverage(around(three), samples({ a: 10_000, b: 20_000, c: 30_001 }), 10_000, ''), {
    replicas: 6,
    averageMilli: 20_000,
  });
  const { utilization, averageMilli } = byUtilization(around(three), samples({ a: 100, b: 200, c: 301 }), CPU);
  assert.deepEqual([utilization, averageMilli], [20, 200]);
});

test('one value for all pods', () => {
  const unready = [...three, pod('d', { ready: false })];
  assert.equal(byValue(around(three), 20_000, 10_000), 6);
  assert.equal(byValue(around(unready), 20_000, 10_000), 6, 'those that are ready have it now');
  assert.equal(byValue(around(three), 10_500, 10_000), 3);
  assert.equal(byValue(around([], 0), 25_000, 10_000), 3, 'of none');
  assert.deepEqual(byShare(around(three), 70_000, 10_000, 3), { replicas: 7, averageMilli: 23_334 });
  assert.deepEqual(byShare(around(three), 31_000, 10_000, 3), { replicas: 3, averageMilli: 10_334 });
});
