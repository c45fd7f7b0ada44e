import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Container } from '../../../api/types/core/v1.generated.ts';
import { BEHAVE, realNodeOfSuite } from '../../../tests/fixtures/real-node.ts';
import { requires } from '../../../tests/harness/requirements.ts';

describe('restart rules of containers with a real container runtime', requires('root', 'containerd', 'images'), () => {
  const suite = realNodeOfSuite();
  const rule = (action: string, operator: string, ...values: number[]) => ({
    restartPolicyRules: [{ action, exitCodes: { operator, values } }],
  });
  const container = (name: string, script: string, more: object = {}) => ({
    name,
    image: BEHAVE,
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', script],
    volumeMounts: [{ name: 'kept', mountPath: '/kept' }],
    ...more,
  });
  const create = (name: string, containers: Container[], initContainers: Container[] = []) =>
    suite.node.create(name, [], {
      restartPolicy: 'Never',
      volumes: [{ name: 'kept', emptyDir: {} }],
      initContainers,
      containers,
    });

  test('a rule restarts its container where the policy would not, and only for its codes', async () => {
    const again = 'if [ -e /kept/seen ]; then exit 3; fi; touch /kept/seen; exit 42';
    await create('ruled', [
      container('main', again, { restartPolicy: 'Never', ...rule('Restart', 'In', 42) }),
      container('other', 'sleep 1; exit 7', { restartPolicy: 'Never', ...rule('Restart', 'NotIn', 7) }),
    ]);
    const { status } = await suite.node.phase('ruled', 'Failed');
    const ends = status?.containerStatuses?.map(({ name, restartCount, state, lastState }) => [
      name,
      restartCount,
      state?.terminated?.exitCode,
      lastState?.terminated?.exitCode,
    ]);
    assert.deepEqual(ends, [
      ['main', 1, 3, 42],
      ['other', 0, 7, undefined],
    ]);
    await suite.node.remove('ruled');
  });

  test('a rule restarts all containers: the same sandbox, address and volumes, the init containers again', async () => {
    const { node } = suite;
    const counts = (file: string) => `echo x >> /kept/${file}`;
    await create(
      'all',
      [
        container('main', `${counts('main')}; trap '' TERM; sleep 3600 & wait; wait`),
        container('done', `${counts('done')}; exit 0`),
        container('source', 'sleep 1; if [ -e /kept/seen ]; then sleep 3600; fi; touch /kept/seen; exit 42', {
          restartPolicy: 'Never',
          ...rule('RestartAllContainers', 'In', 42),
        }),
      ],
      [
        container('init', counts('init')) as Container,
        container('beside', `${counts('beside')}; sleep 3600`, { restartPolicy: 'Always' }) as Container,
      ],
    );
    const before = await node.pod('all', 'runs', ({ status }) => status?.containerStatuses?.[0]?.state?.running);
    const [sandbox] = (await node.cri.listPodSandbox({})).items;
    const after = await node.pod(
      'all',
      'has begun anew',
      ({ status }) =>
        status?.containerStatuses?.every(({ restartCount }) => restartCount === 1) &&
        status.containerStatuses[2]?.state?.running &&
        status.containerStatuses[1]?.state?.terminated,
    );
    assert.equal(after.status?.podIP, before.status?.podIP);
    assert.deepEqual(
      (await node.cri.listPodSandbox({})).items.map(({ id }) => id),
      [sandbox?.id],
    );
    assert.equal(after.status?.phase, 'Running');
    assert.deepEqual(
      after.status?.initContainerStatuses?.map(({ name, restartCount }) => [name, restartCount]),
      [
        ['init', 1],
        ['beside', 1],
      ],
    );
    const condition = after.status?.conditions?.find(({ type }) => type === 'AllContainersRestarting');
    assert.equal(condition?.status, 'False');
    const { stdout } = await node.kubectl([
      'exec',
      'all',
      '-c',
      'main',
      '--',
      'sh',
      '-c',
      'cd /kept; wc -l init beside main done',
    ]);
    assert.deepEqual(
      [...stdout.matchAll(/^ +2 (\w+)$/gm)].map(([, name]) => name),
      ['init', 'beside', 'main', 'done'],
    );
    // Ended at once, though it does not listen and has a grace.
    const last = after.status?.containerStatuses?.[0]?.lastState?.terminated;
    assert.deepEqual([last?.exitCode, last?.reason], [137, 'RestartingAllContainers']);
    assert.equal(after.status?.containerStatuses?.[2]?.lastState?.terminated?.exitCode, 42);
    await node.remove('all');
  });

  test('a kubelet that ends in the middle is followed by one that knows what is under way', async () => {
    const { node } = suite;
    await create('torn', [
      container('main', 'sleep 3600'),
      container(
        'source',
        'until [ -e /kept/go ]; do sleep 0.1; done; if [ -e /kept/seen ]; then sleep 3600; fi; touch /kept/seen; exit 42',
        {
          restartPolicy: 'Never',
          ...rule('RestartAllContainers', 'In', 42),
        },
      ),
    ]);
    await node.ready('torn');
    await node.kubectl('exec torn -c main -- touch /kept/go');
    await node.stopKubelet();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await node.startKubelet();
    const { status } = await node.pod('torn', 'has begun anew', ({ status }) =>
      status?.containerStatuses?.every(({ restartCount, ready }) => restartCount === 1 && ready),
    );
    assert.equal(status?.phase, 'Running');
    await node.remove('torn');
  });
});
