// The scheduler alone: 10,000 pods of a few templates onto 5,000 nodes, every node considered for every pod.

import process from 'node:process';
import type { Node, Pod } from '../control-plane/scheduler/cache/cluster-objects.ts';
import { profilesOf } from '../control-plane/scheduler/configuration.ts';
import { Scheduler } from '../control-plane/scheduler/cycle/scheduler.ts';
import { SeededRandom } from '../libs/base/random.ts';
import type { Report } from '../tools/bench/figure.ts';

const NODES = 5000;
const PODS = 10_000;
const ROUNDS = 3;

function node(index: number): Node {
  const name = `node-${index}`;
  return {
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'topology.kubernetes.io/zone': `zone-${index % 5}`,
        disk: index % 3 === 0 ? 'ssd' : 'hdd',
      },
    },
    spec: index % 10 === 0 ? { taints: [{ key: 'dedicated', value: 'batch', effect: 'NoSchedule' }] } : {},
    status: { allocatable: { cpu: String(4 + (index % 3) * 4), memory: '32Gi', pods: '110' } },
  } as unknown as Node;
}

/** What the templates add to a plain web server with requests. */
const TEMPLATES: Readonly<Record<string, object>> = {
  plain: {},
  selector: { nodeSelector: { disk: 'ssd' } },
  tolerating: { tolerations: [{ key: 'dedicated', operator: 'Exists' }] },
  preferring: {
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 10, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
        ],
      },
    },
  },
};

/** Templates that look at where other pods are. */
const RELATED: Readonly<Record<string, object>> = {
  spread: {
    topologySpreadConstraints: [
      {
        maxSkew: 5,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'spread' } },
      },
    ],
  },
  apart: {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app: 'apart' } }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    },
  },
};

function pod(index: number, app: string, more: object): Pod {
  return {
    metadata: { name: `pod-${index}`, namespace: 'default', uid: `uid-${index}`, labels: { app } },
    spec: {
      containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu: '100m', memory: '200Mi' } } }],
      ...more,
    },
  } as unknown as Pod;
}

/** Pods a second; each pod is one object of its own, as informers give them. */
function schedule(templates: Readonly<Record<string, object>>): number {
  const scheduler = new Scheduler({ profiles: profilesOf({}, { enabled: () => false }), random: new SeededRandom(1) });
  for (let i = 0; i < NODES; i++) scheduler.setNode(node(i));
  const kinds = Object.entries(templates);
  const pods = Array.from({ length: PODS }, (_, i) => {
    const [app, more] = kinds[i % kinds.length] as [string, object];
    return pod(i, app, more);
  });
  const from = process.hrtime.bigint();
  for (const one of pods) {
    const decision = scheduler.schedule(scheduler.read(one), 0);
    if (decision.type !== 'node') throw new Error(`a pod found no node: ${decision.message}`);
  }
  return PODS / (Number(process.hrtime.bigint() - from) / 1e9);
}

export async function bench(report: Report): Promise<void> {
  const best = (templates: Readonly<Record<string, object>>) =>
    Math.max(...Array.from({ length: ROUNDS }, () => schedule(templates)));
  report({ name: 'scheduler alone, 5,000 nodes', value: best(TEMPLATES), unit: 'pods/s', atLeast: 6000 });
  report({
    name: 'scheduler alone, a third spread or kept apart',
    value: best({ ...TEMPLATES, ...RELATED }),
    unit: 'pods/s',
  });
}
