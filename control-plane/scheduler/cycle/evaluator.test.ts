import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Random, SeededRandom } from '../../../libs/base/random.ts';
import type { Node, Pod } from '../cache/cluster-objects.ts';
import { profilesOf } from '../configuration.ts';
import { Scheduler } from './scheduler.ts';

// What is kept between cycles must never show: a scheduler that has lived through a history of changes decides as one
// that was told only how things stand now.

const newScheduler = () =>
  new Scheduler({ profiles: profilesOf({}, { enabled: () => false }), random: new SeededRandom(1) });

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)] as T;

function randomNode(random: Random, index: number): Node {
  const name = `n${index}`;
  return {
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        zone: pick(random, ['a', 'b', 'c']),
        disk: pick(random, ['ssd', 'hdd']),
      },
    },
    spec: {
      unschedulable: random.int(8) === 0,
      taints: random.int(4) === 0 ? [{ key: 't', effect: pick(random, ['NoSchedule', 'PreferNoSchedule']) }] : [],
    },
    status: {
      allocatable: { cpu: String(1 + random.int(4)), memory: '8Gi', pods: '6' },
      images: random.int(2) ? [{ names: ['example.com/app:1'], sizeBytes: 500_000_000 }] : [],
    },
  } as unknown as Node;
}

const term = (app: string, topologyKey: string) => ({ labelSelector: { matchLabels: { app } }, topologyKey });

function randomPod(random: Random, index: number): Pod {
  const more = [
    {},
    { nodeSelector: { disk: 'ssd' } },
    { tolerations: [{ operator: 'Exists' }] },
    {
      topologySpreadConstraints: [
        {
          maxSkew: 2,
          topologyKey: 'zone',
          whenUnsatisfiable: pick(random, ['DoNotSchedule', 'ScheduleAnyway']),
          labelSelector: { matchLabels: { app: 'web' } },
        },
      ],
    },
    {
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('db', 'kubernetes.io/hostname')] },
      },
    },
    {
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: term('web', 'zone') }],
        },
      },
    },
    { containers: [{ name: 'a', image: 'example.com/app:1', ports: [{ containerPort: 80, hostPort: 80 }] }] },
  ];
  return {
    metadata: {
      name: `p${index}`,
      namespace: 'default',
      uid: `p${index}`,
      labels: { app: pick(random, ['web', 'db']) },
    },
    spec: {
      containers: [
        {
          name: 'a',
          image: 'example.com/app:1',
          resources: { requests: { cpu: pick(random, ['100m', '500m', '1']) } },
        },
      ],
      ...pick(random, more),
    },
  } as unknown as Pod;
}

for (let seed = 1; seed <= 8; seed++) {
  test(`decides as if it had no memory (seed ${seed})`, () => {
    const random = new SeededRandom(seed);
    const old = newScheduler();
    const nodes = new Map<string, Node>();
    const placed = new Map<string, Pod>();
    for (let step = 0; step < 150; step++) {
      const what = random.int(10);
      if (what < 2 || nodes.size === 0) {
        const node = randomNode(random, random.int(12));
        nodes.set(node.metadata?.name ?? '', node);
        old.setNode(node);
      } else if (what === 2) {
        const name = pick(random, [...nodes.keys()]);
        nodes.delete(name);
        old.deleteNode(name);
      } else if (what === 3 && placed.size > 0) {
        const uid = pick(random, [...placed.keys()]);
        placed.delete(uid);
        old.deletePod(uid);
      } else {
        const pod = randomPod(random, step);
        const fresh = newScheduler();
        for (const node of nodes.values()) fresh.setNode(node);
        for (const other of placed.values()) fresh.setPlacedPod(fresh.read(other));
        const got = old.schedule(old.read(pod), 0, { explain: true });
        const wanted = fresh.schedule(fresh.read(pod), 0, { explain: true });
        assert.equal(got.type, wanted.type, `step ${step}`);
        if (got.type === 'node' && wanted.type === 'node') {
          assert.deepEqual([...(got.explanation?.tied ?? [])].sort(), [...(wanted.explanation?.tied ?? [])].sort());
          assert.deepEqual(got.explanation?.scores, wanted.explanation?.scores, `step ${step}`);
          const bound = { ...pod, spec: { ...pod.spec, nodeName: got.node } } as Pod;
          placed.set(`p${step}`, bound);
          old.setPlacedPod(old.read(bound));
        } else if (got.type === 'unschedulable' && wanted.type === 'unschedulable') {
          assert.equal(got.message, wanted.message, `step ${step}`);
        }
      }
    }
  });
}

test('asked why or not, a pod goes the same way', () => {
  const [plain, explained] = [newScheduler(), newScheduler()];
  const random = new SeededRandom(9);
  for (let index = 0; index < 150; index++) {
    const node = randomNode(random, index);
    plain.setNode(node);
    explained.setNode(node);
  }
  for (let index = 0; index < 300; index++) {
    const pod = randomPod(random, index);
    const got = plain.schedule(plain.read(pod), 0);
    const wanted = explained.schedule(explained.read(pod), 0, { explain: true });
    assert.equal(got.type === 'node' && got.node, wanted.type === 'node' && wanted.node, `pod ${index}`);
  }
});
