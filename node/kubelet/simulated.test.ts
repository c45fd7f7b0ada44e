import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, nodes } from '../../api/resources.ts';
import type { PodSpec } from '../../api/types/core/v1.generated.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { simulatedNode as node, one, type SimulatedNodeImage } from '../../tests/fixtures/simulated-node.ts';

test('a container that fails comes back: at once, then after 10 s, 20 s … to five minutes', async () => {
  await using at = await node({ images: { 'crash:1': { exitAfterMs: 1_000, exitCode: 3 } } });
  await at.create('crash', one('crash:1'));
  const starts: number[] = [];
  const seen = new Set<string>();
  const beganMs = at.clock.monotonic();
  for (let n = 0; n < 1_500; n++) {
    await at.advance(1_000);
    for (const [id, record] of at.runtime.containers) {
      if (seen.has(id) || record.startedNanos === 0n) continue;
      seen.add(id);
      starts.push(Math.round((at.clock.monotonic() - beganMs) / 1000));
    }
  }
  const gaps = starts.slice(1).map((s, i) => s - (starts[i] as number));
  // One second of life, and the back-off after it.
  for (const [i, expected] of [1, 11, 21, 41, 81, 161, 301].entries()) {
    assert.ok(Math.abs((gaps[i] as number) - expected) <= 1, `${gaps}`);
  }
  assert.match(await at.line('crash'), /^Running ready=false restarts=\d+ CrashLoopBackOff$/);
  const pod = await at.get('crash');
  const [status] = pod.status?.containerStatuses ?? [];
  assert.equal(status?.lastState?.terminated?.exitCode, 3);
  assert.match(
    status?.state?.waiting?.message ?? '',
    /^back-off 5m0s restarting failed container=main pod=crash_default\(/,
  );
});

test('restart policies', async (t) => {
  const cases: [string, PodSpec['restartPolicy'], number, string][] = [
    ['Never, failed', 'Never', 2, 'Failed ready=false restarts=0 Error 2'],
    ['Never, succeeded', 'Never', 0, 'Succeeded ready=false restarts=0 Completed 0'],
    ['OnFailure, succeeded', 'OnFailure', 0, 'Succeeded ready=false restarts=0 Completed 0'],
    ['OnFailure, failed', 'OnFailure', 1, 'Running ready=false restarts=1 CrashLoopBackOff'],
    ['Always, succeeded', 'Always', 0, 'Running ready=false restarts=1 CrashLoopBackOff'],
  ];
  for (const [name, restartPolicy, exitCode, expected] of cases) {
    await t.test(name, async () => {
      await using at = await node({ images: { 'job:1': { exitAfterMs: 1_000, exitCode } } });
      await at.create('job', { restartPolicy, ...one('job:1') });
      await at.advance('6s');
      assert.equal(await at.line('job'), expected);
    });
  }
});

test('images that cannot be pulled', async () => {
  await using at = await node({
    images: { 'broken:1': { pullError: 'RegistryUnavailable: no route' }, 'gone:1': { pullError: 'not found' } },
  });
  await at.create('gone', one('gone:1'));
  await at.create('broken', one('broken:1'));
  await at.create('named', one('Not A Name'));
  await at.advance('1s');
  assert.equal(await at.line('gone'), 'Pending ready=false restarts=0 ErrImagePull');
  assert.equal(await at.line('broken'), 'Pending ready=false restarts=0 RegistryUnavailable');
  assert.equal(await at.line('named'), 'Pending ready=false restarts=0 InvalidImageName');
  await at.advance('5s');
  assert.equal(await at.line('gone'), 'Pending ready=false restarts=0 ImagePullBackOff');
  const told = await at.told();
  assert.ok(told.includes('1× Failed: Failed to pull image "gone:1": not found'), told.join('\n'));
  assert.ok(told.some((line) => line.includes('BackOff: Back-off pulling image "gone:1"')));
});

test('init containers run one after the other, sidecars beside the rest', async () => {
  await using at = await node({ images: { 'init:1': { exitAfterMs: 2_000 } } });
  await at.create('app', {
    initContainers: [
      { name: 'first', image: 'init:1' },
      { name: 'side', image: 'side:1', restartPolicy: 'Always' },
      { name: 'second', image: 'init:1' },
    ],
    ...one('app:1'),
  });
  const inits = async () =>
    (await at.get('app')).status?.initContainerStatuses?.map(
      ({ name, state }) =>
        `${name} ${state?.running ? 'running' : (state?.waiting?.reason ?? state?.terminated?.reason)}`,
    );
  await at.advance('1s');
  assert.deepEqual(await inits(), ['first running', 'side PodInitializing', 'second PodInitializing']);
  assert.equal(await at.line('app'), 'Pending ready=false restarts=0 PodInitializing');
  await at.advance('2s');
  assert.deepEqual(await inits(), ['first Completed', 'side running', 'second running']);
  await at.advance('3s');
  assert.equal(await at.line('app'), 'Running ready=true restarts=0 running');
  assert.deepEqual(await inits(), ['first Completed', 'side running', 'second Completed']);
  const { status } = await at.get('app');
  assert.deepEqual(
    status?.conditions?.map(({ type, status: s }) => `${type}=${s}`),
    ['PodReadyToStartContainers=True', 'Initialized=True', 'Ready=True', 'ContainersReady=True', 'PodScheduled=True'],
  );
});

test('probes: readiness follows the answer, liveness restarts, startup comes first', async () => {
  let answers = false;
  let lives = true;
  await using at = await node({
    images: {
      'web:1': (container) => {
        const bornMs = container.clock.monotonic();
        container.serve(80, ({ path }) => {
          if (path === '/started')
            return { status: container.clock.monotonic() - bornMs > 5_000 ? 200 : 500, body: '' };
          return { status: (path === '/live' ? lives : answers) ? 200 : 503, body: '' };
        });
      },
    },
  });
  const probe = (path: string) => ({ httpGet: { path, port: 80 }, periodSeconds: 1, failureThreshold: 2 });
  await at.create(
    'web',
    one('web:1', {
      startupProbe: { ...probe('/started'), failureThreshold: 10 },
      readinessProbe: probe('/ready'),
      livenessProbe: probe('/live'),
    }),
  );
  await at.advance('3s');
  assert.equal((await at.get('web')).status?.containerStatuses?.[0]?.started, false);
  await at.advance('6s');
  assert.equal((await at.get('web')).status?.containerStatuses?.[0]?.started, true);
  assert.equal(await at.line('web'), 'Running ready=false restarts=0 running');
  answers = true;
  await at.advance('2s');
  assert.equal(await at.line('web'), 'Running ready=true restarts=0 running');
  answers = false;
  await at.advance('1500ms');
  assert.equal(await at.line('web'), 'Running ready=true restarts=0 running', 'one failure is not enough');
  await at.advance('2s');
  assert.equal(await at.line('web'), 'Running ready=false restarts=0 running');
  lives = false;
  await at.advance('3s');
  lives = true;
  await at.advance('2s');
  assert.equal(await at.line('web'), 'Running ready=false restarts=1 running');
  const told = await at.told();
  assert.ok(
    told.some((line) => line.endsWith('Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503')),
    told.join('\n'),
  );
  assert.ok(told.some((line) => line.endsWith('Killing: Container main failed liveness probe, will be restarted')));
});

test('a probe that is led elsewhere is passed, and told of', async () => {
  await using at = await node({
    images: {
      'web:1': (container) =>
        container.serve(80, ({ path }) => {
          if (path === '/near') return { status: 302, headers: { location: '/sick' } };
          return path === '/far'
            ? { status: 302, headers: { location: 'http://0.0.0.0/' }, body: 'moved' }
            : { status: 500 };
        }),
    },
  });
  const probe = (path: string) => ({ httpGet: { path, port: 80 }, periodSeconds: 1, failureThreshold: 1 });
  await at.create('web', one('web:1', { readinessProbe: probe('/near'), livenessProbe: probe('/far') }));
  await at.advance('3s');
  assert.equal(await at.line('web'), 'Running ready=false restarts=0 running');
  const told = await at.told();
  for (const words of [
    'Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500',
    'ProbeWarning: Liveness probe warning: Probe terminated redirects, Response body: moved',
  ]) {
    assert.ok(
      told.some((line) => line.endsWith(words)),
      told.join('\n'),
    );
  }
});

test('a hook whose request is answered with an error has been heard', async () => {
  await using at = await node({
    images: { 'web:1': (container) => container.serve(80, () => ({ status: 500, body: '' })) },
  });
  await at.create('web', one('web:1', { lifecycle: { postStart: { httpGet: { port: 80 } } } }));
  await at.advance('2s');
  assert.equal(await at.line('web'), 'Running ready=true restarts=0 running');
});

test('deletion gives grace, runs the pre-stop hook, and kills who does not listen', async (t) => {
  const seconds = async (at: Awaited<ReturnType<typeof node>>, name: string) => {
    const beganMs = at.clock.monotonic();
    for (;;) {
      const found = await at.get(name).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (!found) return Math.round((at.clock.monotonic() - beganMs) / 1000);
      await at.advance(250);
    }
  };
  const cases: [string, SimulatedNodeImage, object, number, number][] = [
    ['who ends at once', {}, {}, 30, 0],
    ['who takes its time', { stopMs: 5_000 }, {}, 30, 5],
    ['who never listens', { stopMs: Number.POSITIVE_INFINITY }, {}, 30, 30],
    ['a shorter grace', { stopMs: Number.POSITIVE_INFINITY }, {}, 3, 3],
    ['a post-start hook is given up', {}, { lifecycle: { postStart: { sleep: { seconds: 25 } } } }, 30, 0],
    ['a hook before it', { stopMs: 1_000 }, { lifecycle: { preStop: { sleep: { seconds: 4 } } } }, 30, 5],
    [
      'a hook that takes it all leaves two seconds',
      { stopMs: Number.POSITIVE_INFINITY },
      { lifecycle: { preStop: { sleep: { seconds: 25 } } } },
      10,
      12,
    ],
  ];
  for (const [name, image, more, grace, expected] of cases) {
    await t.test(name, async () => {
      await using at = await node({ images: { 'app:1': image } });
      await at.create('app', one('app:1', more));
      await at.advance('1s');
      await at.api.delete('app', { gracePeriodSeconds: grace });
      assert.ok(Math.abs((await seconds(at, 'app')) - expected) <= 1, `${expected}`);
      await at.advance('1s');
      assert.equal(at.runtime.sandboxes.size, 0);
      assert.equal(at.kubelet.pods().length, 0);
    });
  }
});

test('until its post-start hook has ended a container does not run yet, is not probed, and the next one waits', async () => {
  await using at = await node();
  const [first] = one('app:1', {
    lifecycle: { postStart: { sleep: { seconds: 5 } } },
    livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 7 },
  }).containers;
  await at.create('app', { containers: [first!, { name: 'next', image: 'app:1' }] });
  await at.advance('4s');
  assert.equal(await at.line('app'), 'Pending ready=false restarts=0 ContainerCreating');
  assert.equal(at.runtime.containers.size, 1);
  await at.advance('2s');
  assert.equal(await at.line('app'), 'Running ready=true restarts=0 running');
  assert.equal(at.runtime.containers.size, 2);
  await at.advance('4s');
  assert.equal((await at.get('app')).status?.containerStatuses?.[0]?.restartCount, 1, 'its probe came then');
});

test('a subPath of an empty variable is waited for', async () => {
  await using at = await node();
  const env = [{ name: 'FOLDER', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['folder']" } } }];
  const volumeMounts = [{ name: 'v', mountPath: '/v', subPathExpr: '$(FOLDER)' }];
  await at.create('app', { ...one('app:1', { env, volumeMounts }), volumes: [{ name: 'v', emptyDir: {} }] });
  await at.advance('2s');
  assert.equal(await at.line('app'), 'Pending ready=false restarts=0 CreateContainerConfigError');
  await at.api.patch('app', { metadata: { annotations: { folder: 'a' } } }, { type: 'merge' });
  await at.advance('11s');
  assert.equal(await at.line('app'), 'Running ready=true restarts=0 running');
});

test('a pod has ended once its sidecars have, and tells what its containers mount', async () => {
  await using at = await node({
    images: { 'job:1': { exitAfterMs: 1_000, exitCode: 0 }, 'side:1': { stopMs: 4_000 } },
  });
  const volumeMounts = [
    { name: 'v', mountPath: '/a' },
    { name: 'v', mountPath: '/b', readOnly: true },
  ];
  await at.create('job', {
    restartPolicy: 'Never',
    initContainers: [{ name: 'side', image: 'side:1', restartPolicy: 'Always' }],
    ...one('job:1', { volumeMounts }),
    volumes: [{ name: 'v', emptyDir: {} }],
  });
  await at.advance('4s');
  assert.equal(await at.line('job'), 'Running ready=false restarts=0 Completed 0');
  await at.advance('3s');
  assert.equal(await at.line('job'), 'Succeeded ready=false restarts=0 Completed 0');
  const { status } = await at.get('job');
  assert.deepEqual(status?.containerStatuses?.[0]?.volumeMounts?.slice(0, 2), [
    { name: 'v', mountPath: '/a' },
    { name: 'v', mountPath: '/b', readOnly: true, recursiveReadOnly: 'Disabled' },
  ]);
});

test('a missing ConfigMap is waited for', async () => {
  await using at = await node();
  await at.create(
    'app',
    one('app:1', { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } }] }),
  );
  await at.advance('2s');
  assert.equal(await at.line('app'), 'Pending ready=false restarts=0 CreateContainerConfigError');
  assert.equal(
    (await at.get('app')).status?.containerStatuses?.[0]?.state?.waiting?.message,
    'configmap "settings" not found',
  );
  await at.client
    .resource(configMaps)
    .namespace('default')
    .create({ metadata: { name: 'settings' }, data: { a: '1' } });
  await at.advance('11s');
  assert.equal(await at.line('app'), 'Running ready=true restarts=0 running');
});

test('a deadline ends the pod', async () => {
  await using at = await node();
  await at.create('app', { activeDeadlineSeconds: 20, ...one('app:1') });
  await at.advance('15s');
  assert.equal(await at.line('app'), 'Running ready=true restarts=0 running');
  await at.advance('8s');
  const { status } = await at.get('app');
  assert.deepEqual([status?.phase, status?.reason], ['Failed', 'DeadlineExceeded']);
});

test('a node that loses power starts its pods anew', async () => {
  await using at = await node();
  await at.create('app', one('app:1'));
  await at.advance('1s');
  at.runtime.powerOff();
  await at.advance('70s');
  assert.equal(await at.line('app'), 'Running ready=true restarts=1 running');
  assert.equal((await at.get('app')).status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 255);
});

test('the node is registered, reports and renews its lease', async () => {
  await using at = await node();
  await at.advance('1m');
  const found = await at.client.resource(nodes).get('node-1');
  assert.equal(found.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'KubeletReady');
  assert.deepEqual([found.status?.capacity?.['cpu'], found.status?.capacity?.['pods']], ['4', '110']);
  at.runtime.setNetworkReady(false);
  await at.advance('15s');
  const ready = (await at.client.resource(nodes).get('node-1')).status?.conditions?.find(
    ({ type }) => type === 'Ready',
  );
  assert.equal(ready?.status, 'False');
  assert.match(
    ready?.message ?? '',
    /^container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady/,
  );
});

test('what others say that the node has can be given out, until they say otherwise', async () => {
  await using at = await node();
  const status = at.client.resource(nodes).subresource('status');
  const told = async () => {
    const { capacity, allocatable } = (await at.client.resource(nodes).get('node-1')).status ?? {};
    return [capacity?.['example.com/dongle'], allocatable?.['example.com/dongle']];
  };
  await status.patch('node-1', { status: { capacity: { 'example.com/dongle': '4' } } }, { type: 'merge' });
  await at.advance('15s');
  assert.deepEqual(await told(), ['4', '4']);
  await status.patch('node-1', { status: { capacity: { 'example.com/dongle': null } } }, { type: 'merge' });
  await at.advance('15s');
  assert.deepEqual(await told(), [undefined, undefined]);
});

test('a manifest runs, with a mirror that comes back, and ends with its file', async () => {
  await using at = await node({ config: { staticPodPath: '/manifests' } });
  const manifest =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: etcd}\nspec:\n  containers:\n  - {name: main, image: "etcd:1"}\n';
  await at.host.files.makeDirectory('/manifests');
  await at.host.files.write('/manifests/etcd.yaml', manifest);
  await at.host.files.write('/manifests/broken.yaml', '{');
  await at.advance('25s');
  assert.equal(await at.line('etcd-node-1'), 'Running ready=true restarts=0 running');
  const mirror = await at.get('etcd-node-1');
  assert.equal(mirror.metadata.ownerReferences?.[0]?.kind, 'Node');
  const [sandbox] = at.runtime.sandboxes.keys();

  await at.api.delete('etcd-node-1', { gracePeriodSeconds: 0 });
  await at.advance('25s');
  assert.equal(await at.line('etcd-node-1'), 'Running ready=true restarts=0 running');
  assert.deepEqual([...at.runtime.sandboxes.keys()], [sandbox], 'the pod itself was left alone');

  await at.host.files.remove('/manifests/etcd.yaml');
  await at.advance('25s');
  await assert.rejects(at.get('etcd-node-1'), isNotFound);
  assert.equal(at.runtime.sandboxes.size, 0);
});

test('a kubelet that starts while the API is away runs its manifests; their mirrors come with it', async () => {
  const manifest =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: etcd}\nspec: {containers: [{name: main, image: "etcd:1"}]}\n';
  let away = false;
  await using at = await node({
    config: { staticPodPath: '/manifests' },
    prepare: (host) => host.files.makeDirectory('/manifests'),
    away: () => away,
  });
  await at.create('other', one('app:1'));
  await at.advance('2s');
  const [other] = at.runtime.sandboxes.keys();
  await at.stop();
  away = true;
  await at.host.files.write('/manifests/etcd.yaml', manifest);
  const started = at.start();
  await at.advance('20s');
  const running = () => [...at.runtime.containers.values()].filter(({ state }) => state === 'CONTAINER_RUNNING').length;
  assert.equal(running(), 2);
  assert.ok(at.runtime.sandboxes.has(other as string), 'what the API may want stays');
  await assert.rejects(at.get('etcd-node-1'), isNotFound);
  away = false;
  await at.advance('90s');
  await started;
  assert.equal(await at.line('etcd-node-1'), 'Running ready=true restarts=0 running');
  assert.equal(await at.line('other'), 'Running ready=true restarts=0 running');
  assert.equal(at.runtime.sandboxes.size, 2);
});
