// What the codec costs beside bare JSON.parse and JSON.stringify, on a Pod of 13 KB as a kubelet's watch carries it.
// `node bench/codec.bench.ts`; times in microseconds, the median of several rounds, each form in turn.
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { builtinSchema, builtinTypeOf } from '../api/schema/builtin.ts';
import { decodeJson, encodeJson, normalize, stringify } from '../libs/machinery/codec/json.ts';
import { decodeProtobuf, encodeProtobuf } from '../libs/machinery/codec/protobuf/protobuf.ts';

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

const pod = normalize(set, type, bigPod());
const text = encodeJson(set, type, pod, { canonical: true });
const bytes = new TextEncoder().encode(text);
const sorted = JSON.stringify(sortedDeep(pod));
const protobuf = encodeProtobuf(set, type, pod, { canonical: true });

const forms: readonly (readonly [string, () => unknown, string?])[] = [
  ['JSON.parse', () => JSON.parse(text)],
  ['decode', () => decodeJson(set, type, text, { strict: true }), 'JSON.parse'],
  ['decode, from bytes', () => decodeJson(set, type, bytes, { strict: true }), 'JSON.parse'],
  ['decode, keys sorted', () => decodeJson(set, type, sorted, { strict: true }), 'JSON.parse'],
  ['JSON.stringify', () => JSON.stringify(pod)],
  ['encode, canonical', () => stringify(pod), 'JSON.stringify'],
  ['encode, any object', () => encodeJson(set, type, pod), 'JSON.stringify'],
  ['normalize', () => normalize(set, type, pod), 'JSON.parse'],
  ['protobuf encode', () => encodeProtobuf(set, type, pod, { canonical: true }), 'JSON.stringify'],
  ['protobuf decode', () => decodeProtobuf(set, builtinTypeOf, protobuf), 'JSON.parse'],
];

const rounds = 15;
const perRound = 400;
const times = new Map<string, number[]>(forms.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of forms) {
    const started = performance.now();
    for (let i = 0; i < perRound; i++) run();
    times.get(name)?.push(((performance.now() - started) * 1000) / perRound);
  }
}
const median = (name: string): number => (times.get(name) ?? []).sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
process.stdout.write(`a Pod of ${bytes.length} bytes (${protobuf.length} in protobuf)\n`);
for (const [name, , against] of forms) {
  const ratio = against ? `  ${(median(name) / median(against)).toFixed(2)} × ${against}` : '';
  process.stdout.write(`${name.padEnd(22)}${median(name).toFixed(1).padStart(8)} µs${ratio}\n`);
}
