import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { namespaces, nodes, pods, serviceAccounts } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core/v1.generated.ts';
import { createLogger, formatRecord, silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { type Cluster, createCluster } from '../../testing/index.ts';
import { type KubeletFixture, startKubeletOn } from '../../tests/fixtures/kubelet.ts';
import { type Containerd, startContainerd, writeCniConfiguration } from '../../tests/harness/containerd.ts';
import { buildImages } from '../../tests/harness/images.ts';
import { cgroupRoots } from '../../tests/harness/leftovers.ts';
import { createNetwork, type Network } from '../../tests/harness/namespace.ts';
import { until } from '../../tests/harness/process.ts';
import { type Registry, startRegistry } from '../../tests/harness/registry.ts';
import { requires } from '../../tests/harness/requirements.ts';

const BEHAVE = 'docker.io/library/behave:latest';
const NODE = 'node-1';

const log = process.env['TUTTI_TEST_LOG']
  ? createLogger('test', new RealClock(), (record) => console.error(formatRecord(record)), 'debug')
  : silentLogger;

describe('a kubelet with a real container runtime', requires('root', 'containerd', 'images'), () => {
  let network: Network;
  let registry: Registry;
  let containerd: Containerd;
  let cluster: Cluster;
  let fixture: KubeletFixture;

  const inDefault = () => cluster.client.resource(pods).namespace('default');
  const get = (name: string) => inDefault().get(name);
  const create = (name: string, args: string[], spec: Partial<Pod['spec'] & object> = {}) =>
    inDefault().create({
      metadata: { name, labels: { app: name } },
      spec: {
        nodeName: NODE,
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args }],
        ...spec,
      },
    });
  const isReady = (pod: Awaited<ReturnType<typeof get>>) =>
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  const ready = (name: string) =>
    until(`${name} is ready`, async () => {
      const pod = await get(name);
      return isReady(pod) && pod;
    });
  const gone = (name: string) => until(`${name} is gone`, () => get(name).then(() => false, isNotFound));

  before(
    async () => {
      const store = await buildImages(['pause', 'busybox', 'behave']);
      network = await createNetwork({ hosts: 2 });
      registry = await startRegistry(store, network.hub);
      writeCniConfiguration(network.hosts[0]!, '10.244.1.0/24');
      await network.hosts[1]!.exec(['ip', 'route', 'add', '10.244.1.0/24', 'via', network.hosts[0]!.address]);
      containerd = await startContainerd(network.hosts[0]!, { registry });
      cluster = await createCluster({ seed: 1, time: 'real' });
      for (const name of ['default', 'kube-node-lease']) {
        await cluster.client
          .resource(namespaces)
          .create({ metadata: { name }, spec: {} })
          .catch(() => {});
      }
      await cluster.client
        .resource(serviceAccounts)
        .namespace('default')
        .create({ metadata: { name: 'default' } });
      fixture = await startKubeletOn(containerd, cluster.client, { nodeName: NODE, log });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await fixture?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await registry?.close();
    await network?.dispose();
  });

  test('a pod runs, is ready, and answers under its address', async () => {
    await create('web', ['serve', '8080']);
    const pod = await ready('web');
    assert.equal(pod.status?.phase, 'Running');
    assert.match(pod.status?.podIP ?? '', /^10\.244\.1\.\d+$/);
    const [status] = pod.status?.containerStatuses ?? [];
    assert.match(status?.containerID ?? '', /^containerd:\/\/[0-9a-f]{64}$/);
    assert.equal(status?.restartCount, 0);
    const answer = await until('it answers', () =>
      network.hosts[1]!.fetch(`http://${pod.status?.podIP}:8080/`).catch(() => undefined),
    );
    assert.equal(answer.body, 'web\n');
  });

  test('deleted, nothing of it is left', async () => {
    const { host } = containerd;
    const pod = await get('web');
    await inDefault().delete('web');
    await gone('web');
    assert.deepEqual((await fixture.cri.listPodSandbox({})).items, []);
    await until('its worker is gone', () => fixture.kubelet.pods().length === 0);
    assert.equal((await host.exec('ls /run/netns')).stdout, '');
    for (const root of cgroupRoots()) {
      const folder = join(root.path, host.cgroupParent, 'kubepods/besteffort', `pod${pod.metadata.uid}`);
      assert.equal(existsSync(folder), false, folder);
    }
    assert.equal(existsSync(`${host.folder}/kubelet/pods/${pod.metadata.uid}`), false);
  });

  test('the node says what it is', async () => {
    const node = await cluster.client.resource(nodes).get(NODE);
    assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    assert.equal(node.status?.addresses?.[0]?.address, containerd.host.address);
    assert.match(node.status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\//);
    assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], NODE);
  });
});
