import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Service } from '../../../api/types/core/v1.generated.ts';
import { buildEnv, type EnvSource } from './env.ts';
import { expandVariables } from './expand.ts';

test('references to variables', async (t) => {
  const known: Record<string, string> = { A: 'a', 'B-1': 'b', EMPTY: '' };
  const cases: [string, string][] = [
    ['plain', 'plain'],
    ['$(A)', 'a'],
    ['x$(A)y$(B-1)z', 'xaybz'],
    ['$(EMPTY)', ''],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$A', '$A'],
    ['$', '$'],
    ['a$', 'a$'],
    ['$(A', '$(A'],
    ['$$', '$'],
    ['$($(A))', '$($(A))'],
  ];
  for (const [given, expected] of cases) {
    await t.test(given, () =>
      assert.equal(
        expandVariables(given, (name) => known[name]),
        expected,
      ),
    );
  }
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const service = (name: string, namespace: string, clusterIP: string): Service => ({
  metadata: { name, namespace },
  spec: {
    clusterIP,
    ports: [
      { name: 'http-alt', port: 80, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ],
  },
});

const source: EnvSource = {
  pod: {
    metadata: { name: 'web', namespace: 'default', uid: 'u', labels: { app: 'x' }, annotations: { 'a/b': 'c' } },
    spec: { nodeName: 'node-1', serviceAccountName: 'sa', containers: [], enableServiceLinks: true },
  },
  podIps: ['10.0.0.1', 'fd00::1'],
  hostIps: ['192.168.0.1'],
  allocatable: { cpu: '4', memory: '8Gi' },
  configMap: (name) => (name === 'settings' ? { metadata: { name }, data: { a: '1' } } : undefined),
  secret: (name) => (name === 'key' ? { metadata: { name }, data: { token: base64('s3cret') } } : undefined),
  file: (volume, path) => (volume === 'shared' && path === 'made.env' ? new Map([['A', 'b']]) : undefined),
  services: [],
};

const env = (container: Partial<Container>, more: Partial<EnvSource> = {}) =>
  Object.fromEntries(buildEnv({ ...source, ...more }, { name: 'main', ...container }));

test('where variables come from', async (t) => {
  const resources = { limits: { cpu: '1500m' }, requests: { memory: '100Mi' } };
  const from = (valueFrom: object) => ({ env: [{ name: 'V', valueFrom }], resources });
  const cases: [string, Partial<Container>, Record<string, string>][] = [
    [
      'values, later ones of earlier ones',
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '$(A)2' },
        ],
      },
      { A: '1', B: '12' },
    ],
    ['no value', { env: [{ name: 'A' }] }, { A: '' }],
    ['a field', from({ fieldRef: { fieldPath: 'metadata.name' } }), { V: 'web' }],
    ['a label', from({ fieldRef: { fieldPath: "metadata.labels['app']" } }), { V: 'x' }],
    ['a label that is not there', from({ fieldRef: { fieldPath: "metadata.labels['none']" } }), { V: '' }],
    ['an annotation', from({ fieldRef: { fieldPath: "metadata.annotations['a/b']" } }), { V: 'c' }],
    ['addresses', from({ fieldRef: { fieldPath: 'status.podIPs' } }), { V: '10.0.0.1,fd00::1' }],
    ['the host', from({ fieldRef: { fieldPath: 'status.hostIP' } }), { V: '192.168.0.1' }],
    ['a limit, rounded up', from({ resourceFieldRef: { resource: 'limits.cpu' } }), { V: '2' }],
    ['a limit in parts', from({ resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } }), { V: '1500' }],
    ['a limit that is not said', from({ resourceFieldRef: { resource: 'limits.memory', divisor: '1Gi' } }), { V: '8' }],
    ['a request', from({ resourceFieldRef: { resource: 'requests.memory', divisor: '1Mi' } }), { V: '100' }],
    ['a key of a ConfigMap', from({ configMapKeyRef: { name: 'settings', key: 'a' } }), { V: '1' }],
    ['a key that may be missing', from({ configMapKeyRef: { name: 'settings', key: 'z', optional: true } }), {}],
    ['a key of a Secret', from({ secretKeyRef: { name: 'key', key: 'token' } }), { V: 's3cret' }],
    ['a key of a file', from({ fileKeyRef: { volumeName: 'shared', path: 'made.env', key: 'A' } }), { V: 'b' }],
    [
      'a file that may be missing',
      from({ fileKeyRef: { volumeName: 'shared', path: 'none', key: 'A', optional: true } }),
      {},
    ],
    ['all of a ConfigMap', { envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }] }, { P_a: '1' }],
    [
      'env wins over envFrom',
      { envFrom: [{ configMapRef: { name: 'settings' } }], env: [{ name: 'a', value: '2' }] },
      { a: '2' },
    ],
    ['an optional Secret that is missing', { envFrom: [{ secretRef: { name: 'none', optional: true } }] }, {}],
  ];
  for (const [name, container, expected] of cases) {
    await t.test(name, () => {
      const found = env(container);
      for (const [key, value] of Object.entries(expected)) assert.equal(found[key], value);
      assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
    });
  }
});

test('what is missing is said as upstream says it', async (t) => {
  const from = (valueFrom: object) => ({ env: [{ name: 'V', valueFrom }] });
  const cases: [string, Partial<Container>, string][] = [
    ['a ConfigMap', from({ configMapKeyRef: { name: 'none', key: 'a' } }), 'configmap "none" not found'],
    [
      'its key',
      from({ configMapKeyRef: { name: 'settings', key: 'z' } }),
      "couldn't find key z in ConfigMap default/settings",
    ],
    [
      'a key of a file',
      from({ fileKeyRef: { volumeName: 'shared', path: 'made.env', key: 'z' } }),
      'environment variable key "z" not found in file "made.env"',
    ],
    [
      'a file',
      from({ fileKeyRef: { volumeName: 'shared', path: 'none', key: 'A' } }),
      'file "none" not found in volume "shared"',
    ],
    ['a Secret', { envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
    [
      'its key in a Secret',
      from({ secretKeyRef: { name: 'key', key: 'z' } }),
      "couldn't find key z in Secret default/key",
    ],
  ];
  for (const [name, container, message] of cases) {
    await t.test(name, () => assert.throws(() => env(container), { name: 'ConfigError', message }));
  }
});

test('services of the namespace, and the API server’s', () => {
  const services = [
    service('my-db', 'default', '10.96.0.7'),
    service('other', 'elsewhere', '10.96.0.8'),
    service('kubernetes', 'default', '10.96.0.1'),
    service('headless', 'default', 'None'),
  ];
  const found = env({ env: [{ name: 'URL', value: 'http://$(MY_DB_SERVICE_HOST)' }] }, { services });
  assert.equal(found['URL'], 'http://10.96.0.7');
  assert.equal(found['MY_DB_SERVICE_PORT_HTTP_ALT'], '80');
  assert.equal(found['MY_DB_PORT_53_UDP'], 'udp://10.96.0.7:53');
  assert.equal(found['KUBERNETES_SERVICE_HOST'], '10.96.0.1');
  assert.ok(!Object.keys(found).some((key) => key.startsWith('OTHER') || key.startsWith('HEADLESS')));
  const pod = { ...source.pod, spec: { ...source.pod.spec!, enableServiceLinks: false } };
  const without = env({}, { services, pod });
  assert.equal(without['MY_DB_SERVICE_HOST'], undefined);
  assert.equal(without['KUBERNETES_SERVICE_HOST'], '10.96.0.1');
});
