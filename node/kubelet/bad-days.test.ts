import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, leases, nodes } from '../../api/resources.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { one, simulatedNode } from '../../tests/fixtures/simulated-node.ts';

// What goes wrong on nodes, and what users read then. With a real runtime: containerd.test.ts, tests/integration/churn.

test('a registry that hangs holds up its own pod alone, and not its deletion', async () => {
  await using at = await simulatedNode({ images: { 'slow:1': { pullMs: 3_600_000 } } });
  await at.create('slow', one('slow:1'));
  await at.create('app', one('app:1'));
  await at.advance('5s');
  assert.equal(await at.line('slow'), 'Pending ready=false restarts=0 ContainerCreating');
  assert.match(await at.line('app'), /^Running/);
  await at.api.delete('slow', { gracePeriodSeconds: 5 });
  await at.advance('3s');
  await assert.rejects(at.get('slow'), isNotFound);
});

test('a volume whose ConfigMap is missing says so, and is there when it comes', async () => {
  await using at = await simulatedNode();
  const mounted = one('app:1', { volumeMounts: [{ name: 'settings', mountPath: '/settings' }] });
  await at.create('app', { ...mounted, volumes: [{ name: 'settings', configMap: { name: 'settings' } }] });
  await at.advance('3s');
  assert.equal(await at.line('app'), 'Pending ready=false restarts=0 ContainerCreating');
  const told = await at.told();
  assert.ok(
    told.some((line) => /FailedMount: .*configmap "settings" not found/.test(line)),
    told.join('\n'),
  );
  await at.client
    .resource(configMaps)
    .namespace('default')
    .create({ metadata: { name: 'settings' }, data: { a: 'b' } });
  await at.advance('70s');
  assert.match(await at.line('app'), /^Running/);
});

test('a full disk is named as the cause, and passes', async () => {
  await using at = await simulatedNode();
  await at.client
    .resource(configMaps)
    .namespace('default')
    .create({ metadata: { name: 'settings' }, data: { a: 'b'.repeat(10_000) } });
  at.host.files.spaceBytes = 1_000;
  const mounted = one('app:1', { volumeMounts: [{ name: 'settings', mountPath: '/settings' }] });
  await at.create('app', { ...mounted, priority: 0, volumes: [{ name: 'settings', configMap: { name: 'settings' } }] });
  await at.advance('3s');
  assert.match(await at.line('app'), /^Pending/);
  const told = await at.told();
  assert.ok(
    told.some((line) => /FailedMount: .*(ENOSPC|no space left)/.test(line)),
    told.join('\n'),
  );
  at.host.files.spaceBytes = 64 * 2 ** 30;
  await at.advance('70s');
  assert.match(await at.line('app'), /^Running/);
});

test('a command that is not there is tried again, as a container that fails', async () => {
  const startError = 'exec: "nope": executable file not found in $PATH';
  await using at = await simulatedNode({ images: { 'bad:1': { startError } } });
  await at.create('bad', one('bad:1', { command: ['nope'] }));
  await at.advance('1s');
  const waiting = (await at.get('bad')).status?.containerStatuses?.[0]?.state?.waiting;
  assert.equal(waiting?.reason, 'RunContainerError');
  assert.match(waiting?.message ?? '', /executable file not found/);
  await at.advance('30s');
  assert.match(await at.line('bad'), /restarts=[1-9]\d* (RunContainerError|CrashLoopBackOff)/);
  assert.ok((await at.told()).some((line) => /Failed: Error: .*executable file not found/.test(line)));
});

test('a wall clock that jumps ends nothing', async () => {
  await using at = await simulatedNode();
  const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 5, failureThreshold: 1 };
  await at.create('app', one('app:1', { livenessProbe }));
  await at.advance('5s');
  const [before] = (await at.get('app')).status?.containerStatuses ?? [];
  for (const byMs of [3_600_000, -1_800_000, 7_200_000]) {
    at.clock.jump(byMs);
    await at.advance('30s');
    const [now] = (await at.get('app')).status?.containerStatuses ?? [];
    assert.equal(now?.containerID, before?.containerID, `after a jump of ${byMs} ms`);
    const node = await at.client.resource(nodes).get('node-1');
    assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    const lease = await at.client.resource(leases).namespace('kube-node-lease').get('node-1');
    const agoMs = at.clock.now() - Date.parse(lease.spec?.renewTime ?? '');
    assert.ok(agoMs >= 0 && agoMs <= 11_000, `renewed ${agoMs} ms ago`);
  }
});

test('a host port that another pod has, and one that is given back', async () => {
  await using at = await simulatedNode();
  const port = { ports: [{ containerPort: 80, hostPort: 8080, protocol: 'TCP' }] };
  await at.create('first', one('app:1', port));
  await at.create('second', one('app:1', port));
  await at.advance('2s');
  assert.equal((await at.get('second')).status?.reason, 'NodePorts');
  await at.api.delete('first', { gracePeriodSeconds: 0 });
  await at.advance('2s');
  await at.create('third', one('app:1', port));
  await at.advance('2s');
  assert.match(await at.line('third'), /^Running/);
});

test('a container that was being started when the runtime was asked is not started again by an answer that comes late', async () => {
  await using at = await simulatedNode({
    images: { 'ends:1': { exitAfterMs: 1_000 } },
    cri: (real, clock) => ({
      ...real,
      async startContainer(request, options) {
        const { status } = await real.containerStatus(request);
        if (status?.metadata?.name === 'slow') await clock.sleep(4_000);
        return real.startContainer(request, options);
      },
      async containerStatus(request, options) {
        const answer = await real.containerStatus(request, options);
        if (answer.status?.state === 'CONTAINER_CREATED') await clock.sleep(6_000);
        return answer;
      },
    }),
  });
  const containers = [
    { name: 'ends', image: 'ends:1' },
    { name: 'slow', image: 'app:1' },
  ];
  await at.create('two', { restartPolicy: 'Never', containers });
  await at.advance('20s');
  const { status } = await at.get('two');
  const states = status?.containerStatuses?.map(({ name, restartCount, state }) => [
    name,
    restartCount,
    Object.keys(state ?? {})[0],
  ]);
  assert.deepEqual(states, [
    ['ends', 0, 'terminated'],
    ['slow', 0, 'running'],
  ]);
  assert.equal(at.runtime.containers.size, 2);
});
