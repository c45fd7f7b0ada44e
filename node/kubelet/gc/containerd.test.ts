import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { events } from '../../../api/resources.ts';
import { BEHAVE, realNodeOfSuite } from '../../../tests/fixtures/real-node.ts';
import { PAUSE_IMAGE } from '../../../tests/harness/images.ts';
import { until } from '../../../tests/harness/process.ts';
import { requires } from '../../../tests/harness/requirements.ts';

const BUSYBOX = 'docker.io/library/busybox:latest';

describe('housekeeping with a real container runtime', requires('root', 'containerd', 'images', 'kubectl'), () => {
  // Each threshold is passed at once, so that what is done now and then is done while the test looks.
  const suite = realNodeOfSuite({
    config: {
      imageGCHighThresholdPercent: 0,
      imageGCLowThresholdPercent: 0,
      imageMinimumGCAgeMs: 4_000,
      imageGCPeriodMs: 500,
      housekeepingPeriodMs: 500,
      containerLogMonitorIntervalMs: 200,
      containerLogMaxSizeBytes: 20_000,
      containerLogMaxFiles: 3,
      // A disk that is full by that measure is no reason to end pods here.
      evictionHard: {},
    },
  });
  const images = async () => (await suite.node.cri.listImages({})).images.flatMap(({ repoTags }) => repoTags).sort();

  test('images that nothing runs from go; those of pods and of sandboxes stay', async () => {
    const { node } = suite;
    await node.create('stays', ['stay']);
    await node.ready('stays');
    await node.create('passes', [], { restartPolicy: 'Never' }, { image: BUSYBOX, command: ['true'] });
    await node.phase('passes', 'Succeeded');
    assert.ok((await images()).includes(BUSYBOX), 'a container that has ended still holds its image');
    await node.remove('passes');
    await until('the image has gone', async () => !(await images()).includes(BUSYBOX));
    const left = await images();
    assert.ok(left.includes(BEHAVE), `the image of a pod that runs: ${left}`);
    assert.ok(left.includes(PAUSE_IMAGE), `the image of sandboxes: ${left}`);
    // More is wanted here than images take, and the node says so.
    const { items } = await node.cluster.client.resource(events).namespace('default').list();
    const told = items.find(({ reason }) => reason === 'FreeDiskSpaceFailed');
    assert.equal(told?.involvedObject.kind, 'Node');
    assert.match(
      told?.message ?? '',
      /^Insufficient free disk space on the node's image filesystem \(\d+% of [\d.]+ GiB/,
    );
  });

  test('containers that others made are nobody’s to end, in any namespace of the runtime', async () => {
    const { node } = suite;
    const { containerd, host } = node;
    const address = ['--address', containerd.socket];
    const run = ['run', '--detach', '--net-host'];
    for (const namespace of ['k8s.io', 'others']) {
      const at = [...address, '--namespace', namespace];
      await host.exec(['ctr', ...at, 'images', 'pull', '--hosts-dir', `${host.folder}/containerd/registries`, BEHAVE]);
      const name = `foreign-${namespace}`;
      await host.exec([
        'ctr',
        ...at,
        ...run,
        '--cgroup',
        `${host.cgroupParent}/${name}`,
        BEHAVE,
        name,
        'behave',
        'stay',
      ]);
    }
    // Through the CRI as well, as crictl does: with a pod's metadata, and without a kubelet's labels.
    const metadata = { name: 'by-hand', namespace: 'default', uid: 'by-hand', attempt: 0 };
    const config = { metadata, labels: {}, annotations: {}, linux: { cgroupParent: `${host.cgroupParent}/by-hand` } };
    const { podSandboxId } = await node.cri.runPodSandbox({ config });
    await node.stopKubelet();
    await node.startKubelet();
    await node.create('beside', ['stay']);
    await node.ready('beside');
    await node.remove('beside');
    // Three rounds of housekeeping.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const namespace of ['k8s.io', 'others']) {
      const { stdout } = await host.exec(['ctr', ...address, '--namespace', namespace, 'tasks', 'list']);
      assert.match(stdout, new RegExp(`^foreign-${namespace} +\\d+ +RUNNING$`, 'm'));
    }
    const { status } = await node.cri.podSandboxStatus({ podSandboxId });
    assert.equal(status?.state, 'SANDBOX_READY');
    await node.cri.removePodSandbox({ podSandboxId });
  });

  test('of containers that have ended the newest is kept, for its log', async () => {
    const { node } = suite;
    await node.create('again', ['exit', '0'], {});
    const ofPod = async () => {
      const { containers } = await node.cri.listContainers({
        filter: { labelSelector: { 'io.kubernetes.pod.name': 'again' } },
      });
      return containers.map(({ state, annotations }) => [state, annotations['io.kubernetes.container.restartCount']]);
    };
    await node.pod('again', 'has ended three times', ({ status }) => {
      const [one] = status?.containerStatuses ?? [];
      return (one?.restartCount ?? 0) >= 2 && one?.state?.waiting?.reason === 'CrashLoopBackOff';
    });
    await until('one is left', async () => (await ofPod()).length === 1, { timeoutMs: 5_000 }).catch(() => {});
    assert.deepEqual(await ofPod(), [['CONTAINER_EXITED', '2']]);
    await node.remove('again');
  });

  test('a log is rotated while somebody follows it, who misses nothing', { timeout: 60_000 }, async () => {
    const { node } = suite;
    const talk = [
      'echo begin; until [ -e /go ]; do sleep 0.1; done; n=0',
      'while [ $n -lt 3000 ]; do n=$((n + 1)); echo "line $n of many words, so that it grows"',
      '[ $((n % 50)) -ne 0 ] || sleep 0.1; done; echo end',
      'until [ -e /stop ]; do sleep 0.1; done; echo later; sleep 3600',
    ].join('; ');
    await node.create('talks', [], {}, { command: ['sh', '-c', talk] });
    await node.ready('talks');
    await using following = node.spawnKubectl('logs -f talks');
    await following.waitFor('begin\n');
    await node.kubectl('exec talks -- touch /go');
    await following.waitFor('\nend\n', 40_000);
    const lines = [...following.output.matchAll(/^line (\d+) /gm)].map(([, n]) => Number(n));
    assert.deepEqual(
      lines,
      Array.from({ length: 3000 }, (_, n) => n + 1),
    );
    // By then the last of it, too, has been moved aside, if it was enough for that.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await node.kubectl('exec talks -- touch /stop');
    await following.waitFor('\nlater\n');
    const pod = await node.get('talks');
    const folder = join(node.host.folder, 'pod-logs', `default_talks_${pod.metadata.uid}`, 'main');
    const files = readdirSync(folder).sort();
    assert.equal(files.length, 3, `the one that is written to, and two that were: ${files}`);
    assert.equal(files[0], '0.log');
    assert.match(files[1]!, /^0\.log\.\d{8}-\d{6}\.gz$/);
    assert.match(files[2]!, /^0\.log\.\d{8}-\d{6}$/);
    // What is asked for later is what the newest file has.
    const { stdout } = await node.kubectl('logs talks');
    assert.match(stdout, /^later$/m);
    assert.ok(stdout.length < 60_000);
    assert.ok(readFileSync(join(folder, '0.log')).length < 60_000);
    await node.remove('talks');
  });
});
