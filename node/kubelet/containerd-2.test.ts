import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { nodes } from '../../api/resources.ts';
import { REAL_NODE, realNodeOfSuite } from '../../tests/fixtures/real-node.ts';
import { until } from '../../tests/harness/process.ts';
import { findContainerd2, requires } from '../../tests/harness/requirements.ts';

const programs = findContainerd2();
const needs =
  programs === undefined
    ? { skip: 'optional: there is no second, newer runtime in .cache' }
    : requires('root', 'containerd', 'images', 'kubectl');

/** What is another with containerd 2: events, pinned images, and what it says that it can do. */
describe('a kubelet with containerd 2', needs, () => {
  const suite = realNodeOfSuite({
    ...(programs !== undefined && { containerd: { programs } }),
    config: {
      imageGCHighThresholdPercent: 0,
      imageGCLowThresholdPercent: 0,
      imageMinimumGCAgeMs: 5_000,
      imageGCPeriodMs: 500,
      evictionHard: {},
    },
  });

  test('pods run, answer, restart and go', async () => {
    const { node } = suite;
    const { status } = await node.cluster.client.resource(nodes).get(REAL_NODE);
    assert.match(status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\/v?2\./);
    await node.create('web', ['serve', '8080']);
    const pod = await node.ready('web');
    assert.equal((await node.host.fetch(`http://${pod.status?.podIP}:8080/`)).body, 'web\n');
    assert.equal((await node.kubectl('exec web -- echo heard')).stdout, 'heard\n');
    await node.kubectl(['exec', 'web', '--', 'sh', '-c', 'kill -TERM 1']);
    await node.pod('web', 'has begun anew', ({ status: now }) => now?.containerStatuses?.[0]?.restartCount === 1);
    await node.ready('web');
    await node.remove('web');
    assert.deepEqual((await node.cri.listPodSandbox({})).items, []);
    assert.deepEqual(readdirSync(`${node.host.folder}/kubelet/pods`), []);
    assert.equal((await node.host.exec('ls /run/netns')).stdout, '');
  });

  test('killed and started again, it and a new kubelet find the pods as they were', async () => {
    const { node } = suite;
    await node.create('stays', ['stay']);
    const before = await node.ready('stays');
    await node.stopKubelet();
    await node.containerd.kill();
    await node.containerd.restart();
    await node.startKubelet();
    await node.create('beside', ['stay']);
    await node.ready('beside');
    const after = await node.ready('stays');
    const idOf = ({ status }: typeof before) => status?.containerStatuses?.[0]?.containerID;
    assert.equal(idOf(after), idOf(before));
    await node.remove('stays', 'beside');
  });

  test('unused images go, and the one of sandboxes stays', async () => {
    const { node } = suite;
    const names = async () => (await node.cri.listImages({})).images.flatMap(({ repoTags }) => repoTags);
    await until('the image of pods has gone', async () => !(await names()).some((name) => name.includes('behave')));
    assert.equal((await names()).length, 1);
    await node.create('later', ['stay']);
    await node.ready('later');
    await node.remove('later');
  });

  test('users of its own, where the runtime has them; else upstream’s refusal', async () => {
    const { node } = suite;
    const { runtimeHandlers } = await node.cri.status({});
    const able = runtimeHandlers.find(({ name }) => name === '')?.features?.userNamespaces === true;
    await node.create(
      'users',
      [],
      { hostUsers: false },
      { command: ['sh', '-c', 'cat /proc/self/uid_map; sleep 3600'] },
    );
    if (able) {
      await node.ready('users');
      const { stdout } = await node.kubectl('logs users');
      assert.match(stdout, /^ +0 +[1-9]\d+ +65536$/m);
    } else {
      const refusal = "can't set `spec.hostUsers: false`, runtime does not support user namespaces";
      await node.toldOf('users', new RegExp(`^Warning FailedCreatePodSandBox: .*${refusal.replaceAll('.', '\\.')}$`));
    }
    await node.remove('users');
  });
});
