import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { findCommand } from '../../tools/setup/needs.ts';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, prepareCluster } from './cluster.ts';

const needs = requires(...CLUSTER_NEEDS);
const skip = needs.skip ?? (findCommand('iptables') === undefined ? 'needs iptables' : false);

describe('a machine that drops what it forwards, as Docker makes it', { skip }, () => {
  let cluster: E2eCluster;
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 30_000 });
  const forwarding = async () => (await cluster.host.exec('iptables -S FORWARD')).stdout.trim().split('\n');
  before(
    async () => {
      cluster = await prepareCluster();
      await cluster.host.exec('iptables -P FORWARD DROP');
      await cluster.start();
    },
    { timeout: 120_000 },
  );
  after(() => cluster?.dispose());

  test('pods reach pods', async () => {
    await kubectl('create deployment kubia --image=kubia --port=8080');
    await kubectl('expose deployment kubia --port=80 --target-port=8080');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    await kubectl('run asks --image=busybox --command -- sleep 3600');
    await kubectl('wait pod/asks --for=condition=Ready --timeout=60s');
    await cluster.heard('deployment/kubia', 'Kubia server starting');
    const words = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc kubia 80";
    await until('a pod answers a pod', async () => {
      const { stdout } = await cluster.kubectl.run(['exec', 'asks', '--', 'sh', '-c', words], { check: false });
      return stdout.includes("You've hit kubia-");
    });
  });

  test('its rules are as before when the cluster has ended', async () => {
    assert.equal((await forwarding()).length, 3);
    await cluster.interrupt();
    assert.deepEqual(await forwarding(), ['-P FORWARD DROP']);
  });
});
