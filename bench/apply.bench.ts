// What field management costs a write: a Pod of 13 KB updated, created and applied. It is on every write path.

import process from 'node:process';
import { builtinSchema } from '../api/schema/builtin.ts';
import { FieldManager } from '../libs/machinery/apply/field-manager.ts';
import { Structures } from '../libs/machinery/apply/structure.ts';
import type { Report } from '../tools/bench/figure.ts';

const rounds = 15;
const perRound = 200;

interface Pod {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Record<string, unknown>;
  readonly spec: { readonly containers: { image: string }[] } & Record<string, unknown>;
  readonly status: { readonly conditions: { status: string }[] } & Record<string, unknown>;
}

/** Six containers with environment, ports, probes and mounts, their statuses and five conditions. */
function pod(): Pod {
  const names = ['app', 'proxy', 'metrics', 'logs', 'cache', 'agent'];
  const probe = { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, periodSeconds: 10, failureThreshold: 3 };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'app',
      namespace: 'production',
      labels: { app: 'app', tier: 'web' },
      annotations: { note: 'x'.repeat(200) },
    },
    spec: {
      containers: names.map((name) => ({
        name,
        image: `registry.example/team/${name}@sha256:${'0123456789abcdef'.repeat(4)}`,
        args: ['--listen=:8080', `--name=${name}`],
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: Array.from({ length: 12 }, (_, i) => ({ name: `SETTING_${i}`, value: `value of setting ${i}` })),
        resources: { limits: { cpu: '500m', memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
        volumeMounts: [{ name: 'config', readOnly: true, mountPath: '/etc/config' }],
        livenessProbe: probe,
        readinessProbe: probe,
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent',
        securityContext: { capabilities: { drop: ['ALL'] }, runAsNonRoot: true, allowPrivilegeEscalation: false },
      })),
      volumes: [{ name: 'config', configMap: { name: 'app', defaultMode: 420 } }],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      nodeName: 'node-17',
      securityContext: { runAsUser: 1000, fsGroup: 1000 },
      schedulerName: 'default-scheduler',
    },
    status: {
      phase: 'Running',
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        (type) => ({
          type,
          status: 'True',
          lastTransitionTime: '2026-01-02T03:04:05Z',
        }),
      ),
      containerStatuses: names.map((name) => ({ name, ready: true, restartCount: 0, image: name, started: true })),
    },
  };
}

/** Of processor time, so that what else the machine does does not count. */
function medianUs(run: () => unknown): number {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const started = process.cpuUsage();
    for (let i = 0; i < perRound; i++) run();
    if (round > 0) times.push(process.cpuUsage(started).user / perRound);
  }
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] as number;
}

export async function bench(report: Report): Promise<void> {
  const structures = new Structures(builtinSchema());
  const type = { k: 'ref', name: 'core.v1.Pod' } as const;
  const main = new FieldManager({ structures, type, apiVersion: 'v1', kind: 'Pod', resetFields: ['status'] });
  const status = new FieldManager({
    structures,
    type,
    apiVersion: 'v1',
    kind: 'Pod',
    subresource: 'status',
    resetFields: ['spec'],
  });
  const options = { manager: 'bench', nowMs: 0, force: true };

  const fresh = pod();
  const managedFields = main.update(undefined, fresh, { ...options, manager: 'creator' });
  const live = { ...fresh, metadata: { ...fresh.metadata, uid: 'u', managedFields } };
  const copy = (): Pod => structuredClone(live);
  const same = copy();
  const changed = copy();
  (changed.spec.containers[2] as { image: string }).image = 'other';
  const ready = copy();
  (ready.status.conditions[2] as { status: string }).status = 'False';

  report({
    name: 'managed fields, 13 KB Pod unchanged',
    value: medianUs(() => main.update(live, same, options)),
    unit: 'µs',
    atMost: 50,
  });
  report({
    name: 'managed fields, one image changed',
    value: medianUs(() => main.update(live, changed, options)),
    unit: 'µs',
  });
  report({
    name: 'managed fields, status changed',
    value: medianUs(() => status.update(live, ready, options)),
    unit: 'µs',
  });
  report({ name: 'managed fields, create', value: medianUs(() => main.update(undefined, fresh, options)), unit: 'µs' });
  const { status: _, ...config } = fresh;
  const first = main.apply(live, config, options);
  const applied = {
    ...first.object,
    metadata: { ...(first.object['metadata'] as object), managedFields: first.managedFields },
  };
  report({
    name: 'server-side apply, nothing new',
    value: medianUs(() => main.apply(applied, config, options)),
    unit: 'µs',
  });
}
