import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes } from '../../../api/resources.ts';
import type { Container } from '../../../api/types/core/v1.generated.ts';
import { one, simulatedNode } from '../../../tests/fixtures/simulated-node.ts';
import { evictionMessage, overLocalLimit, type PodUsage, rankForEviction } from './ranking.ts';
import { NO_PRESSURE, type Observations, planPressure, type Threshold, thresholdsOf } from './thresholds.ts';

const MI = 2 ** 20;
const hard = (signal: Threshold['signal'], value: string, more: Partial<Threshold> = {}): Threshold => ({
  signal,
  value,
  gracePeriodMs: 0,
  minimumReclaim: '0',
  ...more,
});

test('thresholds are read, and what makes no sense is named', () => {
  const none = { evictionHard: {}, evictionSoft: {}, evictionSoftGracePeriod: {}, evictionMinimumReclaim: {} };
  assert.deepEqual(
    thresholdsOf({
      evictionHard: { 'memory.available': '100Mi' },
      evictionSoft: { 'nodefs.available': '15%' },
      evictionSoftGracePeriod: { 'nodefs.available': '1m30s' },
      evictionMinimumReclaim: { 'memory.available': '10Mi' },
    }),
    [
      hard('memory.available', '100Mi', { minimumReclaim: '10Mi' }),
      hard('nodefs.available', '15%', { gracePeriodMs: 90_000 }),
    ],
  );
  assert.throws(
    () => thresholdsOf({ ...none, evictionHard: { 'cpu.available': '1' } }),
    /unknown eviction signal cpu.available/,
  );
  assert.throws(
    () => thresholdsOf({ ...none, evictionSoft: { 'pid.available': '1' } }),
    /grace period must be specified for pid.available/,
  );
  assert.throws(() => thresholdsOf({ ...none, evictionHard: { 'pid.available': 'few' } }));
});

test('pressure comes at once, lasts for a while, and soft thresholds wait', () => {
  const thresholds = [
    hard('memory.available', '10%', { minimumReclaim: '5' }),
    hard('memory.available', '30', { gracePeriodMs: 60_000 }),
    hard('pid.available', '10'),
  ];
  let before = NO_PRESSURE;
  const look = (monotonicMs: number, memory: number, pids = 100) => {
    const observations: Observations = {
      'memory.available': { available: memory, capacity: 100 },
      'pid.available': { available: pids, capacity: 100 },
    };
    const plan = planPressure({ thresholds, observations, before, monotonicMs, transitionPeriodMs: 300_000 });
    before = plan.memory;
    return `${[...plan.conditions]} | ${plan.act.map(({ signal, value }) => `${signal}<${value}`)}`;
  };
  assert.equal(look(0, 50), ' | ');
  assert.equal(look(10_000, 25), 'MemoryPressure | ');
  assert.equal(look(60_000, 25), 'MemoryPressure | ');
  assert.equal(look(70_000, 25), 'MemoryPressure | memory.available<30');
  assert.equal(look(80_000, 9), 'MemoryPressure | memory.available<10%,memory.available<30');
  assert.equal(look(90_000, 14), 'MemoryPressure | memory.available<10%,memory.available<30', 'not yet 5 beyond it');
  assert.equal(look(100_000, 31), 'MemoryPressure | ');
  assert.equal(look(380_000, 31, 9), 'MemoryPressure,PIDPressure | pid.available<10');
  assert.equal(look(390_000, 31), 'PIDPressure | ', 'five minutes after the last trouble');
  assert.equal(
    planPressure({ thresholds, observations: {}, before, monotonicMs: 400_000, transitionPeriodMs: 1 }).act.length,
    0,
  );
});

const usage = (memoryBytes: number, more: Partial<PodUsage> = {}): PodUsage => ({
  memoryBytes,
  diskBytes: 0,
  inodes: 0,
  processes: 0,
  containers: new Map([['main', { memoryBytes, diskBytes: 0 }]]),
  ...more,
});
const candidate = (
  name: string,
  use: PodUsage,
  priority = 0,
  requests: Record<string, string> = {},
  annotations = {},
) => ({
  pod: {
    metadata: { name, annotations },
    spec: { priority, containers: [{ name: 'main', image: 'a:1', resources: { requests } } as Container] },
  },
  usage: use,
});

test('who goes first', () => {
  const names = (signal: Threshold['signal'], ...all: ReturnType<typeof candidate>[]) =>
    rankForEviction(all, signal).map(({ pod }) => pod.metadata.name);
  const all = [
    candidate('within', usage(50 * MI), 0, { memory: '60Mi' }),
    candidate('a bit more', usage(70 * MI), 0, { memory: '60Mi' }),
    candidate('much more', usage(90 * MI), 0, { memory: '10Mi' }),
    candidate('important', usage(900 * MI), 100),
    candidate('of the node', usage(900 * MI), 0, {}, { 'kubernetes.io/config.source': 'file' }),
    candidate('of the system', usage(900 * MI), 2_000_000_000),
  ];
  assert.deepEqual(names('memory.available', ...all), ['much more', 'a bit more', 'important', 'within']);
  const forks = [candidate('few', usage(1, { processes: 2 })), candidate('many', usage(1, { processes: 200 }))];
  assert.deepEqual(names('pid.available', ...forks), ['many', 'few']);
  const full = [candidate('small', usage(1, { diskBytes: 5 })), candidate('large', usage(1, { diskBytes: 9 }))];
  assert.deepEqual(names('nodefs.available', ...full), ['large', 'small']);
});

test('what an eviction says', () => {
  const seen = { available: 50 * MI, capacity: 1000 * MI };
  assert.equal(
    evictionMessage(hard('memory.available', '100Mi'), seen, candidate('a', usage(60 * MI), 0, { memory: '10Mi' })),
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 51200Ki. ' +
      'Container main was using 61440Ki, request is 10Mi, has larger consumption of memory. ',
  );
  assert.equal(
    evictionMessage(hard('nodefs.inodesFree', '5%'), { available: 3, capacity: 100 }, candidate('a', usage(1))),
    'The node was low on resource: inodes. Threshold quantity: 5, available: 3. ',
  );
});

test('what is kept on the disk beyond what may be', () => {
  const pod = { metadata: {}, spec: { containers: [], volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '1Mi' } }] } };
  assert.equal(overLocalLimit(pod, usage(0), new Map([['tmp', MI]])), undefined);
  assert.equal(
    overLocalLimit(pod, usage(0), new Map([['tmp', MI + 1]])),
    'Usage of EmptyDir volume "tmp" exceeds the limit "1Mi". ',
  );
  const limits = { 'ephemeral-storage': '1Mi' };
  const limited = { metadata: {}, spec: { containers: [{ name: 'main', image: 'a:1', resources: { limits } }] } };
  assert.equal(
    overLocalLimit(limited, usage(0, { diskBytes: 2 * MI }), new Map()),
    'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ',
  );
});

test('a node short of memory says so, ends the worst pod, and takes no more of its kind', async () => {
  const meminfo = (mebibytes: number) => `MemTotal: 8388608 kB\nMemAvailable: ${mebibytes * 1024} kB\n`;
  await using at = await simulatedNode({
    images: {
      'hog:1': { usage: { memoryBytes: 500 * MI } },
      'app:1': { usage: { memoryBytes: 5 * MI } },
    },
    prepare: async ({ files }) => {
      await files.makeDirectory('/proc');
      await files.write('/proc/meminfo', meminfo(4000));
    },
  });
  await at.create('hog', one('hog:1'));
  await at.create('app', one('app:1', { resources: { requests: { memory: '10Mi' } } }));
  await at.advance('5s');
  const pressure = async () => {
    const { status } = await at.client.resource(nodes).get('node-1');
    return status?.conditions?.find(({ type }) => type === 'MemoryPressure')?.status;
  };
  assert.equal(await pressure(), 'False');
  await at.host.files.write('/proc/meminfo', meminfo(50));
  await at.advance('12s');
  assert.equal(await pressure(), 'True');
  await at.host.files.write('/proc/meminfo', meminfo(4000));
  await at.advance('20s');
  const { status } = await at.get('hog');
  assert.deepEqual([status?.phase, status?.reason], ['Failed', 'Evicted']);
  assert.match(
    status?.message ?? '',
    /^The node was low on resource: memory. Threshold quantity: 100Mi, available: 51200Ki. /,
  );
  const disrupted = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  assert.deepEqual([disrupted?.status, disrupted?.reason], ['True', 'TerminationByKubelet']);
  assert.match(await at.line('app'), /^Running/, 'one pod at a time, and no other was needed');

  await at.create('late', one('app:1'));
  await at.advance('2s');
  assert.equal((await at.get('late')).status?.reason, 'Evicted');
  assert.equal(await pressure(), 'True', 'it lasts for five minutes');
  await at.advance('330s');
  assert.equal(await pressure(), 'False');
});
