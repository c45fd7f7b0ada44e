import assert from 'node:assert/strict';
import { test } from 'node:test';
import { persistentVolumeClaims, persistentVolumes } from '../../../api/resources.ts';
import { MetricSet } from '../../../libs/metrics/metrics.ts';
import { simulatedNode as node, one } from '../../../tests/fixtures/simulated-node.ts';
import { countedRuntime, operationOf } from '../runtime-operations.ts';
import { kubeletMetrics } from './metrics.ts';

const rows = (text: string, name: string) =>
  Object.fromEntries(
    [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, 'gm'))].map(([, labels, value]) => [labels, value]),
  );

test('probes are counted by what came of them, as long as their pod is there', async () => {
  await using at = await node({
    images: { 'app:1': (container) => void container.serve(80, () => ({ status: 503, body: '' })) },
  });
  const probe = { periodSeconds: 10, failureThreshold: 100 };
  await at.create('app', {
    containers: [
      {
        name: 'main',
        image: 'app:1',
        readinessProbe: { ...probe, httpGet: { path: '/', port: 80 } },
        livenessProbe: { ...probe, httpGet: { path: '/', port: 'nowhere' } },
      },
    ],
  });
  await at.advance('25s');
  const uid = (await at.get('app')).metadata?.uid;
  const of = (type: string, result: string) =>
    `probe_type="${type}",result="${result}",container="main",pod="app",namespace="default",pod_uid="${uid}"`;
  const read = async () => rows(await kubeletMetrics(at.kubelet), 'prober_probe_total');
  assert.deepEqual(await read(), { [of('Readiness', 'failed')]: '3', [of('Liveness', 'unknown')]: '3' });
  await at.api.delete('app', { gracePeriodSeconds: 1 });
  await at.advance('60s');
  assert.deepEqual(await read(), {});
});

test('image volumes are counted: asked for, mounted, not to be had', async () => {
  await using at = await node({ images: { 'data:1': {}, 'gone:1': { pullError: 'not found' } } });
  const withImage = (reference: string) => ({
    ...one('app:1'),
    containers: [{ name: 'main', image: 'app:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    volumes: [{ name: 'data', image: { reference } }],
  });
  await at.create('good', withImage('data:1'));
  await at.create('bad', withImage('gone:1'));
  await at.advance('2s');
  const text = await kubeletMetrics(at.kubelet);
  const total = (what: string) => new RegExp(`^kubelet_image_volume_${what}_total (\\d+)$`, 'm').exec(text)?.[1];
  assert.deepEqual([total('requested'), total('mounted_succeed'), total('mounted_errors')], ['2', '1', '1']);
});

test('what runs, and how full the volumes of claims are', async () => {
  await using at = await node({ prepare: (host) => host.files.makeDirectory('/disk/c') });
  const claimRef = { namespace: 'default', name: 'c', uid: '' };
  const claims = at.client.resource(persistentVolumeClaims).namespace('default');
  const spec = {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'made',
    volumeName: 'pv',
    resources: { requests: { storage: '1Gi' } },
  };
  const claim = await claims.create({ metadata: { name: 'c' }, spec });
  claimRef.uid = claim.metadata.uid;
  const affinity = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node-1'] }] };
  await at.client.resource(persistentVolumes).create({
    metadata: { name: 'pv' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'made',
      capacity: { storage: '1Gi' },
      claimRef,
      local: { path: '/disk/c' },
      nodeAffinity: { required: { nodeSelectorTerms: [affinity] } },
    },
  });
  await at.advance('2s');
  await at.create('app', {
    containers: [{ name: 'main', image: 'app:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }],
  });
  await at.advance('10s');
  const text = await kubeletMetrics(at.kubelet);
  const { totalBytes, freeBytes, totalInodes } = await at.kubelet.env.host.files.space('/disk/c');
  const labels = 'namespace="default",persistentvolumeclaim="c"';
  assert.deepEqual(rows(text, 'kubelet_volume_stats_capacity_bytes'), { [labels]: String(totalBytes) });
  assert.deepEqual(rows(text, 'kubelet_volume_stats_used_bytes'), { [labels]: String(totalBytes - freeBytes) });
  assert.deepEqual(rows(text, 'kubelet_volume_stats_inodes'), { [labels]: String(totalInodes) });
  assert.match(text, /^kubelet_running_pods 1$/m);
  assert.deepEqual(rows(text, 'kubelet_active_pods'), { 'static="true"': '0', 'static=""': '1' });
  assert.equal(await kubeletMetrics(at.kubelet), text, 'asking again tells the same, once');
});

test('calls to the runtime are counted, failed or not, and timed', async () => {
  await using at = await node();
  const metrics = new MetricSet();
  let nowMs = 0;
  const cri = countedRuntime(at.kubelet.env.cri, metrics, { monotonic: () => (nowMs += 10) });
  await cri.listPodSandbox({});
  await cri.listPodSandbox({});
  await assert.rejects(cri.containerStatus({ containerId: 'no such' }), { code: 'NOT_FOUND' });
  const text = metrics.text();
  assert.deepEqual(rows(text, 'kubelet_runtime_operations_total'), {
    'operation_type="list_podsandbox"': '2',
    'operation_type="container_status"': '1',
  });
  assert.deepEqual(rows(text, 'kubelet_runtime_operations_errors_total'), { 'operation_type="container_status"': '1' });
  assert.equal(
    rows(text, 'kubelet_runtime_operations_duration_seconds_sum')['operation_type="list_podsandbox"'],
    '0.02',
  );
  assert.deepEqual(['runPodSandbox', 'podSandboxStatus', 'execSync', 'imageFsInfo', 'version'].map(operationOf), [
    'run_podsandbox',
    'podsandbox_status',
    'exec_sync',
    'image_fs_info',
    'version',
  ]);
});
