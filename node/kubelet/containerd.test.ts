import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configMaps, nodes, runtimeClasses, secrets } from '../../api/resources.ts';
import { BEHAVE, REAL_NODE as NODE, type RealNode, realNodeOfSuite } from '../../tests/fixtures/real-node.ts';
import { cgroupRoots } from '../../tests/harness/leftovers.ts';
import { until } from '../../tests/harness/process.ts';
import { requires } from '../../tests/harness/requirements.ts';

describe('a kubelet with a real container runtime', requires('root', 'containerd', 'images'), () => {
  const suite = realNodeOfSuite({ hosts: 2 });

  const isReady = ({ status }: Awaited<ReturnType<RealNode['get']>>) =>
    status?.conditions?.some(({ type, status: text }) => type === 'Ready' && text === 'True');
  /** Deletes the pods, with their grace; resolves when the API and the node have nothing of them any more. */
  const ended = async (...names: readonly string[]) => {
    await Promise.all(names.map((name) => suite.node.api.delete(name)));
    await suite.node.gone(...names);
  };

  test('a pod runs, is ready, and answers under its address', async () => {
    const { node } = suite;
    const [host, other] = node.network.hosts;
    await other!.exec(['ip', 'route', 'add', '10.244.1.0/24', 'via', host!.address]);
    await node.create('web', ['serve', '8080']);
    const pod = await node.ready('web');
    assert.equal(pod.status?.phase, 'Running');
    assert.match(pod.status?.podIP ?? '', /^10\.244\.1\.\d+$/);
    const [status] = pod.status?.containerStatuses ?? [];
    assert.match(status?.containerID ?? '', /^containerd:\/\/[0-9a-f]{64}$/);
    assert.equal(status?.restartCount, 0);
    const answer = await until('it answers', () =>
      other!.fetch(`http://${pod.status?.podIP}:8080/`).catch(() => undefined),
    );
    assert.equal(answer.body, 'web\n');
  });

  test('deleted, nothing of it is left', async () => {
    const { node } = suite;
    const { host } = node;
    const pod = await node.get('web');
    await ended('web');
    assert.deepEqual((await node.cri.listPodSandbox({})).items, []);
    await until('its worker is gone', () => node.fixture.kubelet.pods().length === 0);
    assert.equal((await host.exec('ls /run/netns')).stdout, '');
    for (const root of cgroupRoots()) {
      const folder = join(root.path, host.cgroupParent, 'kubepods/besteffort', `pod${pod.metadata.uid}`);
      assert.equal(existsSync(folder), false, folder);
    }
    assert.equal(existsSync(`${host.folder}/kubelet/pods/${pod.metadata.uid}`), false);
  });

  test('logs, exec and port-forward reach it', requires('kubectl'), async () => {
    const { node } = suite;
    await node.create('talks', ['log', '3']);
    await node.create('serves', ['serve', '8080']);
    await Promise.all([node.ready('talks'), node.ready('serves')]);
    await until('three lines', async () => (await node.kubectl('logs talks')).stdout.includes('problem 3'));
    assert.match((await node.kubectl('logs talks --tail=1')).stdout, /^(line|problem) 3\n$/);
    const stamped = (await node.kubectl('logs talks --timestamps')).stdout;
    assert.match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1$/m);
    const missing = await node.kubectl('logs talks --previous');
    assert.match(missing.stderr, /previous terminated container "main" in pod "talks" not found/);

    const echoed = await node.kubectl('exec -i talks -- cat', 'to and fro\n');
    assert.equal(echoed.stdout, 'to and fro\n');
    assert.equal((await node.kubectl('exec talks -- false')).code, 1);
    assert.match(
      (await node.kubectl('exec talks -c other -- true')).stderr,
      /container other is not valid for pod talks/,
    );
    assert.match((await node.kubectl('exec nobody -- true')).stderr, /pods "nobody" not found/);

    const forward = node.spawnKubectl('port-forward serves :8080');
    try {
      const port = await until('it forwards', () => /127\.0\.0\.1:(\d+)/.exec(forward.output)?.[1]);
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'serves\n');
    } finally {
      await forward.stop();
    }
    await ended('talks', 'serves');
  });

  test('environment, volumes, users and limits reach the process', async () => {
    const { node } = suite;
    const { client } = node.cluster;
    await client
      .resource(configMaps)
      .namespace('default')
      .create({ metadata: { name: 'settings' }, data: { a: 'from map', b: 'x' } });
    // As the controller manager does, which is not here.
    const authority = { 'ca.crt': node.cluster.authority.certificatePem };
    await client
      .resource(configMaps)
      .namespace('default')
      .create({ metadata: { name: 'kube-root-ca.crt' }, data: authority });
    await client
      .resource(secrets)
      .namespace('default')
      .create({ metadata: { name: 'key' }, data: { token: Buffer.from('s3cret').toString('base64') } });
    const script = [
      'echo env $A $NAME',
      'cat /config/a; echo',
      'cat /secret/token; echo',
      'cat /all/labels; echo',
      'cat /all/map/b; echo',
      'cat /one/file; echo',
      'cut -c1-2 /var/run/secrets/kubernetes.io/serviceaccount/token',
      'echo user $(id -u) $(id -g)',
      'echo hosts $(grep -c full /etc/hosts)',
      'touch /memory/here && mount | grep -c "/memory type tmpfs"',
      'touch /root-is-read-only 2>/dev/null || echo read-only',
      'echo last words > /dev/termination-log',
      'exit 0',
    ].join('\n');
    await node.create('full', [], {
      restartPolicy: 'Never',
      automountServiceAccountToken: true,
      securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000 },
      volumes: [
        { name: 'config', configMap: { name: 'settings' } },
        { name: 'secret', secret: { secretName: 'key' } },
        {
          name: 'all',
          projected: {
            sources: [
              { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
              { configMap: { name: 'settings', items: [{ key: 'b', path: 'map/b' }] } },
            ],
          },
        },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      ],
      containers: [
        {
          name: 'main',
          image: BEHAVE,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          env: [
            { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } },
            { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
          volumeMounts: [
            { name: 'config', mountPath: '/config' },
            { name: 'secret', mountPath: '/secret' },
            { name: 'all', mountPath: '/all' },
            { name: 'config', mountPath: '/one/file', subPath: 'a' },
            { name: 'memory', mountPath: '/memory' },
          ],
          resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '32Mi' } },
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    });
    const pod = await until('it has ended', async () => {
      const found = await node.get('full');
      return ['Succeeded', 'Failed'].includes(found.status?.phase ?? '') && found;
    });
    const log = (await node.kubectl('logs full')).stdout;
    assert.deepEqual(log.trim().split('\n'), [
      'env from map full',
      'from map',
      's3cret',
      'app="full"',
      'x',
      'from map',
      'ey',
      'user 1000 2000',
      'hosts 1',
      '1',
      'read-only',
    ]);
    assert.equal(pod.status?.phase, 'Succeeded');
    assert.equal(pod.status?.containerStatuses?.[0]?.state?.terminated?.message, 'last words\n');
    assert.equal(pod.status?.qosClass, 'Burstable');
    await ended('full');
    const { stdout } = await node.host.exec('grep -c kubernetes.io~empty-dir /proc/self/mountinfo || :');
    assert.equal(stdout, '0\n', 'no mount is left');
  });

  test('a kubelet that died takes over what runs, and ends what nobody wants any more', async () => {
    const { node } = suite;
    await Promise.all(['stays', 'unwanted'].map((name) => node.create(name, ['stay'])));
    const [before] = await Promise.all([node.ready('stays'), node.ready('unwanted')]);
    const id = before.status?.containerStatuses?.[0]?.containerID;
    await node.stopKubelet();
    await node.api.delete('unwanted', { gracePeriodSeconds: 0 });
    await node.containerd.kill();
    await node.containerd.restart();
    await node.startKubelet();
    await until('only one is left', async () => (await node.cri.listPodSandbox({})).items.length === 1);
    await node.api.patch('stays', { metadata: { labels: { seen: 'yes' } } }, { type: 'merge' });
    const after = await node.ready('stays');
    assert.equal(after.status?.containerStatuses?.[0]?.containerID, id);
    assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);

    // The container is killed behind the kubelet's back: it comes back.
    await node.host.exec(['kill', '-9', String(await processOf(id!.replace('containerd://', '')))]);
    const again = await until('it was restarted', async () => {
      const pod = await node.get('stays');
      return pod.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(pod) && pod;
    });
    assert.equal(again.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
    await ended('stays');
    await until('nothing is left', async () => (await node.cri.listPodSandbox({})).items.length === 0);
  });

  const processOf = async (id: string): Promise<number> => {
    const { info } = await suite.node.cri.containerStatus({ containerId: id, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
  };

  test('attach reaches the process itself', requires('kubectl'), async () => {
    const { node } = suite;
    const cat = {
      name: 'main',
      image: BEHAVE,
      imagePullPolicy: 'IfNotPresent',
      command: ['cat'],
      stdin: true,
      stdinOnce: true,
    };
    await node.create('listens', [], { restartPolicy: 'Never', containers: [cat] });
    await node.ready('listens');
    const said = await node.kubectl('attach -i listens', 'to and fro\n');
    assert.match(said.stdout, /^to and fro$/m);
    const pod = await until('its input has ended, and so has it', async () => {
      const found = await node.get('listens');
      return found.status?.phase === 'Succeeded' && found;
    });
    assert.equal(pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
    await ended('listens');
  });

  test('what goes wrong in containers is said as it is', async () => {
    const { node } = suite;
    const one = (args: string[], more: object = {}) => [
      { name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args, ...more },
    ];
    const limits = { memory: '30Mi', cpu: '500m' };
    await Promise.all([
      node.create('hungry', [], {
        restartPolicy: 'Never',
        containers: one(['memory', '200'], { resources: { limits } }),
      }),
      node.create('wrong', [], { containers: one([], { command: ['/nope'] }) }),
      node.create('forks', [], { containers: one(['fork', '60']) }),
      node.create('missing', [], { containers: one(['stay'], { image: 'docker.io/library/none:1' }) }),
    ]);
    const state = async (name: string) => (await node.get(name)).status?.containerStatuses?.[0]?.state;
    const killed = await until('it was ended', async () => (await state('hungry'))?.terminated, { timeoutMs: 20_000 });
    assert.deepEqual([killed.reason, killed.exitCode], ['OOMKilled', 137]);
    assert.equal((await node.get('hungry')).status?.phase, 'Failed');
    const waiting = await until('it could not be started', async () => {
      const found = (await state('wrong'))?.waiting;
      return /RunContainerError|CrashLoopBackOff/.test(found?.reason ?? '') && found;
    });
    if (waiting.reason === 'RunContainerError') assert.match(waiting.message ?? '', /\/nope.*no such file/);
    await until('the image is missing', async () =>
      /ErrImagePull|ImagePullBackOff/.test((await state('missing'))?.waiting?.reason ?? ''),
    );
    await until('it forks', async () => isReady(await node.get('forks')));
    await ended('hungry', 'wrong', 'forks', 'missing');
  });

  test('a private image is pulled by who has the secret, and by nobody else', async () => {
    const { node } = suite;
    using _login = node.registry.fault('busybox', { kind: 'login', username: 'me', password: 'p:w' });
    const auths = { 'https://index.docker.io/v1/': { auth: Buffer.from('me:p:w').toString('base64') } };
    await node.cluster.client
      .resource(secrets)
      .namespace('default')
      .create({
        metadata: { name: 'login' },
        type: 'kubernetes.io/dockerconfigjson',
        data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
      });
    const image = 'docker.io/library/busybox:latest';
    const containers = [{ name: 'main', image, imagePullPolicy: 'Always', command: ['sleep', '3600'] }];
    await Promise.all([
      node.create('stranger', [], { containers }),
      node.create('member', [], { containers, imagePullSecrets: [{ name: 'none' }, { name: 'login' }] }),
    ]);
    await node.ready('member');
    const { status } = await node.get('stranger');
    assert.match(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? '', /^(ErrImagePull|ImagePullBackOff)$/);
    assert.match(
      status?.containerStatuses?.[0]?.state?.waiting?.message ?? '',
      /401|authorization failed|Unauthorized/,
    );
    await ended('stranger', 'member');
  });

  test('variables of a file that an init container wrote', async () => {
    const { node } = suite;
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
    const write = ['sh', '-c', `printf "# made\\nWORD='of its own'\\n" > /shared/made.env`];
    const valueFrom = { fileKeyRef: { volumeName: 'shared', path: 'made.env', key: 'WORD' } };
    await node.create('told', [], {
      restartPolicy: 'Never',
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [
        { name: 'writes', image: BEHAVE, imagePullPolicy: 'IfNotPresent', command: write, volumeMounts },
      ],
      containers: [
        {
          name: 'main',
          image: BEHAVE,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', 'printf "$WORD" > /dev/termination-log'],
          env: [{ name: 'WORD', valueFrom }],
        },
      ],
    });
    const pod = await until('it has ended', async () => {
      const found = await node.get('told');
      return found.status?.phase === 'Succeeded' && found;
    });
    assert.equal(pod.status?.containerStatuses?.[0]?.state?.terminated?.message, 'of its own');
    await ended('told');
  });

  test('what this runtime cannot do is refused, and not ignored', async () => {
    const { node } = suite;
    const main = { name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args: ['stay'] };
    const volumeMounts = [{ name: 'model', mountPath: '/model' }];
    await node.cluster.client
      .resource(runtimeClasses)
      .create({ metadata: { name: 'classy' }, handler: 'nobody-has-it' });
    await Promise.all([
      node.create('users', ['stay'], { hostUsers: false }),
      node.create('classy', ['stay'], { runtimeClassName: 'classy' }),
      node.create('imaged', [], {
        volumes: [{ name: 'model', image: { reference: BEHAVE, pullPolicy: 'IfNotPresent' } }],
        containers: [{ ...main, volumeMounts }],
      }),
    ]);
    await node.toldOf('users', /does not support user namespaces/);
    await node.toldOf('classy', /FailedCreatePodSandBox: .*nobody-has-it/);
    await node.toldOf('imaged', /Failed: Error: /);
    await ended('users', 'classy', 'imaged');
  });

  test('a container gets more while it runs', async () => {
    const { node } = suite;
    const resources = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
    const main = { name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args: ['stay'] };
    await node.create('grows', [], { containers: [{ ...main, resources: resources('200m', '32Mi') }] });
    const { metadata } = await node.ready('grows');
    const patch = { spec: { containers: [{ name: 'main', resources: resources('400m', '64Mi') }] } };
    await node.api.subresource('resize').patch('grows', patch, { type: 'strategic' });
    const pod = await until('it has more', async () => {
      const found = await node.get('grows');
      return found.status?.containerStatuses?.[0]?.resources?.limits?.['cpu'] === '400m' && found;
    });
    assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
    const folder = (root: string) => join(root, node.host.cgroupParent, 'kubepods', `pod${metadata.uid}`);
    const values = cgroupRoots().flatMap(({ path }) =>
      ['cpu.cfs_quota_us', 'memory.limit_in_bytes', 'cpu.max', 'memory.max']
        .map((file) => join(folder(path), file))
        .filter(existsSync)
        .map((file) => readFileSync(file, 'utf8').trim().split(' ')[0]),
    );
    assert.deepEqual(values.sort(), ['40000', String(64 * 2 ** 20)]);
    await ended('grows');
  });

  test('what the node and its pods use', async () => {
    const { node } = suite;
    await node.create('busy', ['stay']);
    await node.ready('busy');
    const ask = (path: string) => node.cluster.client.raw('GET', `/api/v1/nodes/${NODE}/proxy/${path}`);
    const summary = JSON.parse(String(await ask('stats/summary'))) as {
      node: {
        cpu: { usageCoreNanoSeconds: number };
        memory: { availableBytes: number };
        fs: { capacityBytes: number };
      };
      pods: { podRef: { name: string }; containers: { name: string; memory: { workingSetBytes: number } }[] }[];
    };
    assert.ok(summary.node.cpu.usageCoreNanoSeconds > 0);
    assert.ok(summary.node.memory.availableBytes > 0);
    assert.ok(summary.node.fs.capacityBytes > 0);
    const [container] = summary.pods.find(({ podRef }) => podRef.name === 'busy')?.containers ?? [];
    assert.ok((container?.memory.workingSetBytes ?? 0) > 0, JSON.stringify(container));
    const metrics = String(await ask('metrics'));
    assert.match(metrics, /^kubelet_running_pods 1$/m);
    assert.match(metrics, new RegExp(`^kubelet_node_name\\{node="${NODE}"\\} 1$`, 'm'));
    const resources = String(await ask('metrics/resource'));
    assert.match(
      resources,
      /^container_memory_working_set_bytes\{container="main",namespace="default",pod="busy"\} [1-9]\d* \d{13}$/m,
    );
    assert.match(resources, /^node_cpu_usage_seconds_total [1-9]\S* \d{13}$/m);
    const cadvisor = String(await ask('metrics/cadvisor'));
    const ofMain = `container="main",id="[^"]*/[0-9a-f]{64}",image="[^"]*behave[^"]*",name="[0-9a-f]{64}"`;
    const inPod = 'namespace="default",pod="busy"';
    assert.match(
      cadvisor,
      new RegExp(`^container_cpu_usage_seconds_total\\{${ofMain},${inPod},cpu="total"\\} 0\\.`, 'm'),
    );
    assert.match(cadvisor, new RegExp(`^container_memory_working_set_bytes\\{${ofMain},${inPod}\\} [1-9]`, 'm'));
    assert.match(cadvisor, new RegExp(`^container_spec_memory_limit_bytes\\{${ofMain},${inPod}\\} 0$`, 'm'));
    assert.match(cadvisor, /^container_cpu_usage_seconds_total\{container="",id="\/",.*\} [1-9]/m);
    assert.match(
      cadvisor,
      new RegExp(`^container_network_receive_bytes_total\\{container="",.*,${inPod},interface="eth0"\\} \\d+$`, 'm'),
    );
    assert.match(cadvisor, /^machine_cpu_cores [1-9]/m);
    assert.match(cadvisor, /^container_scrape_error 0$/m);
    assert.match(resources, /^resource_scrape_error 0$/m);
    const { kubeletconfig } = JSON.parse(String(await ask('configz'))) as { kubeletconfig: Record<string, unknown> };
    assert.equal(kubeletconfig['kind'], 'KubeletConfiguration');
    assert.equal(await ask('healthz'), 'ok');
    await ended('busy');
  });

  test('the node says what it is', async () => {
    const { node } = suite;
    const { metadata, status } = await node.cluster.client.resource(nodes).get(NODE);
    assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    assert.equal(status?.addresses?.[0]?.address, node.host.address);
    assert.match(status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\//);
    assert.equal(metadata.labels?.['kubernetes.io/hostname'], NODE);
  });
});
