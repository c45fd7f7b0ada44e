// What the codec costs beside bare JSON.parse and JSON.stringify, on a Pod of 13 KB as a kubelet's watch carries it.
import { performance } from 'node:perf_hooks';
import { builtinSchema, builtinTypeOf } from '../api/schema/builtin.ts';
import { decodeJson, encodeJson, normalize, stringify } from '../libs/machinery/codec/json.ts';
import { decodeProtobuf, encodeProtobuf } from '../libs/machinery/codec/protobuf/protobuf.ts';
import type { Report } from '../tools/bench/figure.ts';

const set = builtinSchema();
const type = 'core.v1.Pod';

/** A pod with a few containers, sidecars, projected volumes, conditions and managed fields; about 13 KB. */
function bigPod(): Record<string, unknown> {
  const names = ['app', 'proxy', 'metrics', 'logs'];
  const probe = {
    httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  };
  const container = (name: string): object => ({
    name,
    image: `registry.example/team/${name}@sha256:${'0123456789abcdef'.repeat(4)}`,
    args: ['--listen=:8080', `--name=${name}`, '--log-level=info'],
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    env: Array.from({ length: 8 }, (_, i) => ({ name: `SETTING_${i}`, value: `value of setting ${i}` })),
    resources: { limits: { cpu: '500m', memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    volumeMounts: [
      { name: 'config', readOnly: true, mountPath: '/etc/config' },
      { name: 'kube-api-access', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ],
    livenessProbe: probe,
    readinessProbe: probe,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    securityContext: {
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    },
  });
  const owned = Object.fromEntries(
    names.map((name) => [
      `k:{"name":"${name}"}`,
      {
        '.': {},
        'f:args': {},
        'f:env': {
          '.': {},
          ...Object.fromEntries(
            Array.from({ length: 8 }, (_, i) => [
              `k:{"name":"SETTING_${i}"}`,
              { '.': {}, 'f:name': {}, 'f:value': {} },
            ]),
          ),
        },
        'f:image': {},
        'f:name': {},
      },
    ]),
  );
  const time = '2026-01-02T03:04:05Z';
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: 'app-7d9f8b6c5d-x2x4z',
      generateName: 'app-7d9f8b6c5d-',
      namespace: 'production',
      uid: 'd1c7b2a0-54c1-4f3a-9b0e-0a1b2c3d4e5f',
      resourceVersion: '123456789',
      generation: 1,
      creationTimestamp: time,
      labels: { app: 'app', 'pod-template-hash': '7d9f8b6c5d', 'app.kubernetes.io/name': 'app' },
      annotations: { 'example.com/checksum': 'abc'.repeat(20), 'kubectl.kubernetes.io/restartedAt': time },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'app-7d9f8b6c5d',
          uid: 'e1c7b2a0-54c1-4f3a-9b0e-0a1b2c3d4e5f',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          time,
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': { 'f:containers': owned } },
        },
      ],
    },
    spec: {
      volumes: [
        { name: 'config', configMap: { name: 'app', defaultMode: 420 } },
        {
          name: 'kube-api-access',
          projected: {
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
            defaultMode: 420,
          },
        },
      ],
      containers: names.map(container),
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'app',
      nodeName: 'node-17',
      securityContext: { runAsUser: 1000, fsGroup: 1000 },
      schedulerName: 'default-scheduler',
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
      priority: 0,
    },
    status: {
      phase: 'Running',
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        (one) => ({ type: one, status: 'True', lastProbeTime: null, lastTransitionTime: time }),
      ),
      hostIP: '192.0.2.17',
      podIP: '10.244.3.9',
      startTime: time,
      containerStatuses: names.map((name) => ({
        name,
        state: { running: { startedAt: time } },
        ready: true,
        restartCount: 0,
        image: `registry.example/team/${name}`,
        imageID: `registry.example/team/${name}@sha256:${'0'.repeat(64)}`,
        containerID: `containerd://${'1'.repeat(64)}`,
        started: true,
      })),
      qosClass: 'Burstable',
    },
  };
}

/** The same object with all keys sorted, as kubectl sends them. */
function sortedDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedDeep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sortedDeep(one)]),
  );
}

const ROUNDS = 15;
const PER_ROUND = 400;
/** The bound: decode and encode within three times the bare calls. */
const TIMES_MAX = 3;

export async function bench(report: Report): Promise<void> {
  const pod = normalize(set, type, bigPod());
  const text = encodeJson(set, type, pod, { canonical: true });
  const sorted = JSON.stringify(sortedDeep(pod));
  const protobuf = encodeProtobuf(set, type, pod, { canonical: true });
  const parse = () => JSON.parse(text);
  const print = () => JSON.stringify(pod);
  const forms: readonly (readonly [string, () => unknown, () => unknown, number?])[] = [
    ['decode / JSON.parse', () => decodeJson(set, type, text, { strict: true }), parse, TIMES_MAX],
    ['decode with sorted keys / JSON.parse', () => decodeJson(set, type, sorted, { strict: true }), parse, TIMES_MAX],
    ['encode / JSON.stringify', () => stringify(pod), print, TIMES_MAX],
    ['normalize / JSON.parse', () => normalize(set, type, pod), parse],
    ['protobuf encode / JSON.stringify', () => encodeProtobuf(set, type, pod, { canonical: true }), print],
    ['protobuf decode / JSON.parse', () => decodeProtobuf(set, builtinTypeOf, protobuf), parse],
  ];
  for (const [name, run, bare, atMost] of forms) {
    report({ name: `13 KB Pod: ${name}`, value: ratio(run, bare), unit: '×', ...(atMost ? { atMost } : {}) });
  }
}

/** The median, over rounds that take turns, of how much longer one takes than the other. */
function ratio(run: () => unknown, bare: () => unknown): number {
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [ours, theirs] = [timed(run), timed(bare)];
    ratios.push(ours / theirs);
  }
  return ratios.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
}

function timed(run: () => unknown): number {
  const started = performance.now();
  for (let i = 0; i < PER_ROUND; i++) run();
  return performance.now() - started;
}
