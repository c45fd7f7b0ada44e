import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { configMaps, events, nodes, pods, runtimeClasses, secrets } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core/v1.generated.ts';
import { createLogger, formatRecord, silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { type ControlPlane, startControlPlane } from '../../tests/fixtures/control-plane.ts';
import { type KubeletFixture, startKubeletOn } from '../../tests/fixtures/kubelet.ts';
import { type Containerd, startContainerd, writeCniConfiguration } from '../../tests/harness/containerd.ts';
import { hostOf } from '../../tests/harness/host.ts';
import { buildImages } from '../../tests/harness/images.ts';
import { cgroupRoots } from '../../tests/harness/leftovers.ts';
import { createNetwork, type Network } from '../../tests/harness/namespace.ts';
import { RunningProgram, run, until } from '../../tests/harness/process.ts';
import { type Registry, startRegistry } from '../../tests/harness/registry.ts';
import { findKubectl, requires } from '../../tests/harness/requirements.ts';

const BEHAVE = 'docker.io/library/behave:latest';
const NODE = 'node-1';

const log = process.env['TUTTI_TEST_LOG']
  ? createLogger('test', new RealClock(), (record) => console.error(formatRecord(record)), 'debug')
  : silentLogger;

describe('a kubelet with a real container runtime', requires('root', 'containerd', 'images'), () => {
  let network: Network;
  let registry: Registry;
  let containerd: Containerd;
  let cluster: ControlPlane;
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
      cluster = await startControlPlane({ sockets: hostOf(network.hosts[0]!).sockets, log });
      fixture = await startKubeletOn(containerd, cluster, { nodeName: NODE, log });
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

  const kubectl = async (args: string, input?: string) => {
    const program = findKubectl();
    assert.ok(program, 'kubectl is needed');
    return run([program, `--kubeconfig=${cluster.kubeconfig}`, ...args.split(' ')], {
      check: false,
      timeoutMs: 20_000,
      ...(input && { input }),
    });
  };

  test('logs, exec and port-forward reach it', requires('kubectl'), async () => {
    await create('talks', ['log', '3']);
    await create('serves', ['serve', '8080']);
    await Promise.all([ready('talks'), ready('serves')]);
    await until('three lines', async () => (await kubectl('logs talks')).stdout.includes('problem 3'));
    assert.match((await kubectl('logs talks --tail=1')).stdout, /^(line|problem) 3\n$/);
    const stamped = (await kubectl('logs talks --timestamps')).stdout;
    assert.match(stamped, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1$/m);
    const missing = await kubectl('logs talks --previous');
    assert.match(missing.stderr, /previous terminated container "main" in pod "talks" not found/);

    const echoed = await kubectl('exec -i talks -- cat', 'to and fro\n');
    assert.equal(echoed.stdout, 'to and fro\n');
    assert.equal((await kubectl('exec talks -- false')).code, 1);
    assert.match((await kubectl('exec talks -c other -- true')).stderr, /container other is not valid for pod talks/);
    assert.match((await kubectl('exec nobody -- true')).stderr, /pods "nobody" not found/);

    const program = findKubectl()!;
    const forward = new RunningProgram([
      program,
      `--kubeconfig=${cluster.kubeconfig}`,
      'port-forward',
      'serves',
      ':8080',
    ]);
    try {
      const port = await until('it forwards', () => /127\.0\.0\.1:(\d+)/.exec(forward.output)?.[1]);
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'serves\n');
    } finally {
      await forward.stop();
    }
    await Promise.all(['talks', 'serves'].map((name) => inDefault().delete(name)));
    await Promise.all([gone('talks'), gone('serves')]);
  });

  test('environment, volumes, users and limits reach the process', async () => {
    const { client } = cluster;
    await client
      .resource(configMaps)
      .namespace('default')
      .create({ metadata: { name: 'settings' }, data: { a: 'from map', b: 'x' } });
    // As the controller manager does, which is not here.
    const authority = { 'ca.crt': cluster.authority.certificatePem };
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
    await create('full', [], {
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
      const found = await get('full');
      return ['Succeeded', 'Failed'].includes(found.status?.phase ?? '') && found;
    });
    const log = (await kubectl('logs full')).stdout;
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
    await inDefault().delete('full');
    await gone('full');
    const { stdout } = await containerd.host.exec('grep -c kubernetes.io~empty-dir /proc/self/mountinfo || :');
    assert.equal(stdout, '0\n', 'no mount is left');
  });

  test('a kubelet that died takes over what runs, and ends what nobody wants any more', async () => {
    await Promise.all(['stays', 'unwanted'].map((name) => create(name, ['stay'])));
    const [before] = await Promise.all([ready('stays'), ready('unwanted')]);
    const id = before.status?.containerStatuses?.[0]?.containerID;
    await fixture[Symbol.asyncDispose]();
    await inDefault().delete('unwanted', { gracePeriodSeconds: 0 });
    await containerd.kill();
    await containerd.restart();
    fixture = await startKubeletOn(containerd, cluster, { nodeName: NODE, log });
    await until('only one is left', async () => (await fixture.cri.listPodSandbox({})).items.length === 1);
    await inDefault().patch('stays', { metadata: { labels: { seen: 'yes' } } }, { type: 'merge' });
    const after = await ready('stays');
    assert.equal(after.status?.containerStatuses?.[0]?.containerID, id);
    assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);

    // The container is killed behind the kubelet's back: it comes back.
    await containerd.host.exec(['kill', '-9', String(await processOf(id!.replace('containerd://', '')))]);
    const again = await until('it was restarted', async () => {
      const pod = await get('stays');
      return pod.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(pod) && pod;
    });
    assert.equal(again.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
    await inDefault().delete('stays');
    await gone('stays');
    await until('nothing is left', async () => (await fixture.cri.listPodSandbox({})).items.length === 0);
  });

  const processOf = async (id: string): Promise<number> => {
    const { info } = await fixture.cri.containerStatus({ containerId: id, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
  };

  test('attach reaches the process itself', requires('kubectl'), async () => {
    const cat = {
      name: 'main',
      image: BEHAVE,
      imagePullPolicy: 'IfNotPresent',
      command: ['cat'],
      stdin: true,
      stdinOnce: true,
    };
    await create('listens', [], { restartPolicy: 'Never', containers: [cat] });
    await ready('listens');
    const said = await kubectl('attach -i listens', 'to and fro\n');
    assert.match(said.stdout, /^to and fro$/m);
    const pod = await until('its input has ended, and so has it', async () => {
      const found = await get('listens');
      return found.status?.phase === 'Succeeded' && found;
    });
    assert.equal(pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
    await inDefault().delete('listens');
    await gone('listens');
  });

  test('what goes wrong in containers is said as it is', async () => {
    const one = (args: string[], more: object = {}) => [
      { name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args, ...more },
    ];
    const limits = { memory: '30Mi', cpu: '500m' };
    await Promise.all([
      create('hungry', [], { restartPolicy: 'Never', containers: one(['memory', '200'], { resources: { limits } }) }),
      create('wrong', [], { containers: one([], { command: ['/nope'] }) }),
      create('forks', [], { containers: one(['fork', '60']) }),
      create('missing', [], { containers: one(['stay'], { image: 'docker.io/library/none:1' }) }),
    ]);
    const state = async (name: string) => (await get(name)).status?.containerStatuses?.[0]?.state;
    const ended = await until('it was ended', async () => (await state('hungry'))?.terminated, { timeoutMs: 20_000 });
    assert.deepEqual([ended.reason, ended.exitCode], ['OOMKilled', 137]);
    assert.equal((await get('hungry')).status?.phase, 'Failed');
    const waiting = await until('it could not be started', async () => {
      const found = (await state('wrong'))?.waiting;
      return /RunContainerError|CrashLoopBackOff/.test(found?.reason ?? '') && found;
    });
    if (waiting.reason === 'RunContainerError') assert.match(waiting.message ?? '', /\/nope.*no such file/);
    await until('the image is missing', async () =>
      /ErrImagePull|ImagePullBackOff/.test((await state('missing'))?.waiting?.reason ?? ''),
    );
    await until('it forks', async () => isReady(await get('forks')));
    const all = ['hungry', 'wrong', 'forks', 'missing'];
    await Promise.all(all.map((name) => inDefault().delete(name)));
    await Promise.all(all.map(gone));
  });

  test('a private image is pulled by who has the secret, and by nobody else', async () => {
    using _login = registry.fault('busybox', { kind: 'login', username: 'me', password: 'p:w' });
    const auths = { 'https://index.docker.io/v1/': { auth: Buffer.from('me:p:w').toString('base64') } };
    await cluster.client
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
      create('stranger', [], { containers }),
      create('member', [], { containers, imagePullSecrets: [{ name: 'none' }, { name: 'login' }] }),
    ]);
    await ready('member');
    const { status } = await get('stranger');
    assert.match(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? '', /^(ErrImagePull|ImagePullBackOff)$/);
    assert.match(
      status?.containerStatuses?.[0]?.state?.waiting?.message ?? '',
      /401|authorization failed|Unauthorized/,
    );
    const all = ['stranger', 'member'];
    await Promise.all(all.map((name) => inDefault().delete(name)));
    await Promise.all(all.map(gone));
  });

  test('variables of a file that an init container wrote', async () => {
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
    const write = ['sh', '-c', `printf "# made\\nWORD='of its own'\\n" > /shared/made.env`];
    const valueFrom = { fileKeyRef: { volumeName: 'shared', path: 'made.env', key: 'WORD' } };
    await create('told', [], {
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
      const found = await get('told');
      return found.status?.phase === 'Succeeded' && found;
    });
    assert.equal(pod.status?.containerStatuses?.[0]?.state?.terminated?.message, 'of its own');
    await inDefault().delete('told');
    await gone('told');
  });

  test('what this runtime cannot do is refused, and not ignored', async () => {
    const main = { name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args: ['stay'] };
    const volumeMounts = [{ name: 'model', mountPath: '/model' }];
    await cluster.client.resource(runtimeClasses).create({ metadata: { name: 'classy' }, handler: 'nobody-has-it' });
    await Promise.all([
      create('users', ['stay'], { hostUsers: false }),
      create('classy', ['stay'], { runtimeClassName: 'classy' }),
      create('imaged', [], {
        volumes: [{ name: 'model', image: { reference: BEHAVE, pullPolicy: 'IfNotPresent' } }],
        containers: [{ ...main, volumeMounts }],
      }),
    ]);
    const told = async (name: string) =>
      (await cluster.client.resource(events).namespace('default').list()).items
        .filter((one) => one.involvedObject.name === name)
        .map(({ reason, message }) => `${reason}: ${message}`)
        .join('\n');
    await until('users of its own', async () => (await told('users')).includes('does not support user namespaces'));
    await until('a class', async () => /FailedCreatePodSandBox: .*nobody-has-it/.test(await told('classy')));
    await until('an image', async () => /Failed: Error: /.test(await told('imaged')));
    const all = ['users', 'classy', 'imaged'];
    await Promise.all(all.map((name) => inDefault().delete(name)));
    await Promise.all(all.map(gone));
  });

  test('a container gets more while it runs', async () => {
    const resources = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
    const main = { name: 'main', image: BEHAVE, imagePullPolicy: 'IfNotPresent', args: ['stay'] };
    await create('grows', [], { containers: [{ ...main, resources: resources('200m', '32Mi') }] });
    const { metadata } = await ready('grows');
    const patch = { spec: { containers: [{ name: 'main', resources: resources('400m', '64Mi') }] } };
    await inDefault().subresource('resize').patch('grows', patch, { type: 'strategic' });
    const pod = await until('it has more', async () => {
      const found = await get('grows');
      return found.status?.containerStatuses?.[0]?.resources?.limits?.['cpu'] === '400m' && found;
    });
    assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
    const folder = (root: string) => join(root, containerd.host.cgroupParent, 'kubepods', `pod${metadata.uid}`);
    const values = cgroupRoots().flatMap(({ path }) =>
      ['cpu.cfs_quota_us', 'memory.limit_in_bytes', 'cpu.max', 'memory.max']
        .map((file) => join(folder(path), file))
        .filter(existsSync)
        .map((file) => readFileSync(file, 'utf8').trim().split(' ')[0]),
    );
    assert.deepEqual(values.sort(), ['40000', String(64 * 2 ** 20)]);
    await inDefault().delete('grows');
    await gone('grows');
  });

  test('what the node and its pods use', async () => {
    await create('busy', ['stay']);
    await ready('busy');
    const ask = (path: string) => cluster.client.raw('GET', `/api/v1/nodes/${NODE}/proxy/${path}`);
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
    await inDefault().delete('busy');
    await gone('busy');
  });

  test('the node says what it is', async () => {
    const node = await cluster.client.resource(nodes).get(NODE);
    assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    assert.equal(node.status?.addresses?.[0]?.address, containerd.host.address);
    assert.match(node.status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\//);
    assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], NODE);
  });
});
