import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isNotFound } from '../../../libs/machinery/errors.ts';
import { BEHAVE, REAL_NODE, realNodeOfSuite } from '../../../tests/fixtures/real-node.ts';
import { until } from '../../../tests/harness/process.ts';
import { requires } from '../../../tests/harness/requirements.ts';

const MIRROR = 'kubernetes.io/config.mirror';

describe('pods of manifests with a real container runtime', requires('root', 'containerd', 'images'), () => {
  let folder = '';
  const suite = realNodeOfSuite({
    async prepare(host) {
      folder = join(host.folder, 'manifests');
      mkdirSync(folder);
    },
    // The folder of manifests is known only when the host is.
    configOf: () => ({ staticPodPath: folder, housekeepingPeriodMs: 1_000 }),
  });
  const manifest = (name: string, args: string[], more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args, ...more }],
    },
  });
  const write = (name: string, pod: object | string) =>
    writeFileSync(join(folder, `${name}.yaml`), typeof pod === 'string' ? pod : JSON.stringify(pod));
  const mirrored = (name: string) => `${name}-${REAL_NODE}`;
  const uids = async () => {
    const { items } = await suite.node.cri.listPodSandbox({});
    return items.map(({ labels }) => labels['io.kubernetes.pod.uid']);
  };
  const port = { ports: [{ containerPort: 8080, hostPort: 18_080 }] };

  test('each file is a pod with a mirror that tells of it; a file that holds none harms nobody', async () => {
    const { node } = suite;
    write('broken', '{ this is: [no pod');
    write('web', manifest('web', ['serve', '8080'], port));
    const mirror = await node.ready(mirrored('web'));
    assert.deepEqual(await uids(), [mirror.metadata.annotations?.[MIRROR]]);
    assert.equal(mirror.metadata.annotations?.['kubernetes.io/config.source'], 'file');
    assert.equal(mirror.metadata.ownerReferences?.[0]?.kind, 'Node');
    assert.equal(mirror.status?.phase, 'Running');
    assert.match(mirror.status?.podIP ?? '', /^10\.244\.1\./);
  });

  test('a mirror that is deleted comes back, and the pod does not notice', async () => {
    const { node } = suite;
    const before = await node.get(mirrored('web'));
    await node.api.delete(mirrored('web'));
    const after = await node.pod(mirrored('web'), 'is there again', (pod) => pod.metadata.uid !== before.metadata.uid);
    const again = await node.ready(mirrored('web'));
    assert.equal(after.metadata.annotations?.[MIRROR], before.metadata.annotations?.[MIRROR]);
    const idOf = ({ status }: typeof before) => status?.containerStatuses?.[0]?.containerID;
    assert.equal(idOf(again), idOf(before));
  });

  test('a file that changes ends its pod, and then begins the new one in its place, on its port', async () => {
    const { node } = suite;
    const before = await node.get(mirrored('web'));
    write('web', manifest('web', ['serve', '8080'], { ...port, env: [{ name: 'ROUND', value: '2' }] }));
    const after = await node.pod(
      mirrored('web'),
      'is the new one',
      ({ metadata }) => metadata.annotations?.[MIRROR] !== before.metadata.annotations?.[MIRROR],
    );
    const again = await node.ready(mirrored('web'));
    assert.equal(again.metadata.uid, after.metadata.uid);
    assert.equal(again.spec?.containers?.[0]?.env?.[0]?.value, '2');
    assert.deepEqual(await uids(), [again.metadata.annotations?.[MIRROR]], 'nothing of the old one is left');
    assert.equal(again.status?.containerStatuses?.[0]?.restartCount, 0);
  });

  test('what changed while no kubelet ran is made good at its start', async () => {
    const { node } = suite;
    write('stays', manifest('stays', ['stay']));
    write('goes', manifest('goes', ['stay']));
    const [stays, goes] = [await node.ready(mirrored('stays')), await node.ready(mirrored('goes'))];
    await node.stopKubelet();
    rmSync(join(folder, 'goes.yaml'));
    write('web', manifest('web', ['serve', '8080'], { ...port, env: [{ name: 'ROUND', value: '3' }] }));
    await node.startKubelet();
    await until('the mirror without a pod has gone', () => node.get(mirrored('goes')).then(() => false, isNotFound));
    const web = await node.pod(
      mirrored('web'),
      'is the third',
      ({ spec, status }) => spec?.containers?.[0]?.env?.[0]?.value === '3' && status?.containerStatuses?.[0]?.ready,
    );
    const wanted = [stays, web].map(({ metadata }) => metadata.annotations?.[MIRROR]).sort();
    await until('two pods are left', async () => (await uids()).length === 2);
    assert.deepEqual((await uids()).sort(), wanted);
    assert.ok(goes.metadata.uid);
    const now = await node.ready(mirrored('stays'));
    assert.equal(now.metadata.uid, stays.metadata.uid);
    assert.equal(now.status?.containerStatuses?.[0]?.containerID, stays.status?.containerStatuses?.[0]?.containerID);
  });

  test('a file that goes takes its pod along, with its grace', async () => {
    const { node } = suite;
    write('polite', manifest('polite', ['graceful', '0.2']));
    await node.ready(mirrored('polite'));
    for (const name of ['polite', 'stays', 'web']) rmSync(join(folder, `${name}.yaml`));
    for (const name of ['polite', 'stays', 'web'])
      await until(`${name} has gone`, () => node.get(mirrored(name)).then(() => false, isNotFound));
    await until('nothing is left', async () => (await uids()).length === 0);
    await until('no worker is left', () => node.fixture.kubelet.pods().length === 0);
  });
});
