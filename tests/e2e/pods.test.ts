import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, clusterOfSuite } from './cluster.ts';

const share = { name: 'share', mountPath: '/share' };

/** A pod with everything that a pod may bring along. */
const FULL = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { COLOR: 'blue', 'page.txt': 'one\n' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'hush' }, stringData: { PASSWORD: 's3cret' } },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'full', labels: { app: 'full' }, annotations: { note: 'kept' } },
    spec: {
      terminationGracePeriodSeconds: 2,
      initContainers: [
        {
          name: 'first',
          image: 'behave',
          command: ['sh', '-c', 'echo prepared > /share/first; echo first is done'],
          volumeMounts: [share],
        },
        {
          name: 'beside',
          image: 'behave',
          restartPolicy: 'Always',
          command: ['sh', '-c', 'cat /share/first; while :; do date +%s%N > /share/beat; sleep 0.1; done'],
          volumeMounts: [share],
        },
      ],
      containers: [
        {
          name: 'main',
          image: 'behave',
          args: ['log', '100000', '0.2'],
          env: [
            { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'COLOR' } } },
            { name: 'ON', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
            { name: 'GREETING', value: 'a $(COLOR) pod' },
          ],
          envFrom: [{ secretRef: { name: 'hush' } }],
          resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
          volumeMounts: [
            share,
            { name: 'settings', mountPath: '/settings' },
            { name: 'hush', mountPath: '/hush', readOnly: true },
          ],
        },
        { name: 'second', image: 'behave', args: ['stay'], volumeMounts: [share] },
      ],
      volumes: [
        { name: 'share', emptyDir: {} },
        { name: 'settings', configMap: { name: 'settings' } },
        { name: 'hush', secret: { secretName: 'hush', defaultMode: 0o400 } },
      ],
    },
  },
];

describe('pods with kubectl', requires(...CLUSTER_NEEDS), () => {
  const suite = clusterOfSuite({ images: ['busybox', 'behave', 'kubia'] });
  const { kubectl } = suite;
  const inMain = (script: string) => kubectl(['exec', 'full', '-c', 'main', '--', 'sh', '-c', script]);

  test('init container, sidecar and shared volume', async () => {
    await suite.cluster.kubectl.apply(FULL);
    await kubectl('wait pod/full --for=condition=Ready --timeout=60s');
    assert.match(await kubectl('get pod full'), /^full +3\/3 +Running +0 /m);
    assert.equal(await kubectl('logs full -c first'), 'first is done');
    assert.equal(await kubectl('logs full -c beside'), 'prepared');
    const beat = await inMain('cat /share/beat');
    await until('the sidecar goes on', async () => (await inMain('cat /share/beat')) !== beat);
    assert.equal(await kubectl(['exec', 'full', '-c', 'second', '--', 'cat', '/share/first']), 'prepared');
    const described = await suite.described('pod full', /(?:^ +Normal +Started [\s\S]*){4}/m);
    assert.match(described, /State: +Terminated\n +Reason: +Completed\n +Exit Code: +0/);
    assert.match(described, /^QoS Class: +Burstable$/m);
    assert.equal([...described.matchAll(/^ +Normal +Started +\S+ +kubelet/gm)].length, 4, described);
  });

  test('ConfigMap and Secret as variables and as files, which follow', async () => {
    assert.equal(await inMain('echo $COLOR $PASSWORD $ON $GREETING'), 'blue s3cret node-1 a blue pod');
    assert.equal(await inMain('cat /settings/page.txt /hush/PASSWORD'), 'one\ns3cret');
    assert.equal(await inMain('stat -Lc %a /hush/PASSWORD'), '400');
    await kubectl(['patch', 'configmap', 'settings', '-p', '{"data":{"page.txt":"two\\n"}}']);
    assert.equal(await inMain('echo $COLOR'), 'blue');
    // Kubelets look at mounted objects when they next look at the pod, which an annotation makes them do.
    await kubectl('annotate pod full note=changed --overwrite');
    await until('the file has changed', async () => (await inMain('cat /settings/page.txt')) === 'two', {
      timeoutMs: 20_000,
      everyMs: 200,
    });
  });

  test('limits are the kernel’s', async () => {
    const limits = await inMain(
      'cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max cpu.max; else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us; fi',
    );
    assert.deepEqual(limits.split(/\s+/), ['67108864', '20000', '100000']);
    const greedy = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'greedy' },
      spec: {
        restartPolicy: 'Never',
        containers: [
          { name: 'main', image: 'behave', args: ['memory', '64'], resources: { limits: { memory: '24Mi' } } },
        ],
      },
    };
    await kubectl('create -f -', greedy);
    const reason = '{.status.containerStatuses[0].state.terminated.reason}';
    await kubectl(`wait pod/greedy --for=jsonpath=${reason}=OOMKilled --timeout=30s`);
    assert.match(await kubectl('get pod greedy'), /^greedy +0\/1 +OOMKilled +0 /m);
  });

  test('logs that are followed, cut, dated and of all containers', async () => {
    await using follow = suite.cluster.kubectl.spawn('logs -f full --since=1s');
    await follow.waitFor(/^line \d+\n/m);
    const last = Number([...follow.output.matchAll(/^line (\d+)\n/gm)].at(-1)![1]);
    await follow.waitFor(`line ${last + 3}\n`);
    assert.equal((await kubectl('logs full -c main --tail=3')).split('\n').length, 3);
    assert.match(await kubectl('logs full --tail=1 --timestamps'), /^\d{4}-\d\d-\d\dT[\d:]+\.\d+Z (line|problem) \d+$/);
    const all = await kubectl('logs -l app=full --all-containers --prefix --tail=1');
    assert.match(all, /^\[pod\/full\/main\] /m);
    assert.match(all, /^\[pod\/full\/first\] first is done$/m);
    assert.ok((await kubectl('logs full --limit-bytes=10')).length <= 10);
  });

  test('exec -it is a terminal', async () => {
    const terminal = suite.cluster.kubectl.spawnInTerminal('exec -it full -c main -- sh');
    await terminal.waitFor(/[#$] /);
    // The terminal's size comes by a way of its own.
    terminal.child.stdin!.write('until stty size | grep -qv "^0 0"; do sleep 0.1; done\r');
    terminal.child.stdin!.write('tty; echo $((6 * 7)) in $HOSTNAME; stty size\r');
    await terminal.waitFor(/\/dev\/pts\/\d+\r?\n42 in full\r?\n33 99\r?\n/);
    terminal.child.stdin!.write('exit 7\r');
    assert.equal((await terminal.wait()).code, 7, terminal.output);
    assert.match(terminal.output, /command terminated with exit code 7/);
  });

  test('exec gives input, output and codes', async () => {
    assert.equal(await kubectl('exec -i full -c second -- cat', 'to and fro'), 'to and fro');
    const { code, stdout, stderr } = await suite.cluster.kubectl.run(
      ['exec', 'full', '-c', 'second', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'],
      { check: false },
    );
    assert.equal(code, 3);
    assert.equal(stdout, 'out\n');
    assert.match(stderr, /^err\ncommand terminated with exit code 3/);
    assert.match(await suite.refused('exec full -c second -- no-such-program'), /executable file not found/);
    assert.match(await suite.refused('exec nobody -- true'), /pods "nobody" not found/);
  });

  test('cp brings files and folders in and out', async () => {
    const { host } = suite.cluster;
    const folder = join(host.folder, 'copies');
    await host.exec(`mkdir -p ${folder}/in/below`);
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 7) % 256));
    writeFileSync(join(folder, 'in/bytes'), bytes);
    writeFileSync(join(folder, 'in/below/words'), 'below\n');
    await kubectl(`cp ${folder}/in full:/tmp/in -c main`);
    assert.equal(await inMain('cat /tmp/in/below/words; wc -c < /tmp/in/bytes'), 'below\n300000');
    await kubectl(`cp full:/tmp/in ${folder}/out -c main`);
    assert.deepEqual(readFileSync(join(folder, 'out/bytes')), bytes);
  });

  test('attach joins the output and input of what runs', async () => {
    await using watching = suite.cluster.kubectl.spawn('attach full -c main');
    await watching.waitFor(/^line \d+$/m);
    await kubectl('create -f -', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'echo' },
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: 'busybox', stdin: true, stdinOnce: true, command: ['cat'] }],
      },
    });
    await kubectl('wait pod/echo --for=condition=Ready --timeout=30s');
    assert.match(await kubectl('attach -i echo', 'heard you\n'), /^heard you$/m);
    await kubectl('wait pod/echo --for=jsonpath={.status.phase}=Succeeded --timeout=20s');
    assert.match(
      await kubectl('run once -i --rm --restart=Never --image=busybox --quiet -- wc -c', 'twelve bytes'),
      /^12$/m,
    );
  });

  test('port-forward, to a pod and to a Service', async () => {
    await kubectl('run web --image=kubia --port=8080 --expose');
    await kubectl('wait pod/web --for=condition=Ready --timeout=30s');
    // kubectl gives up a forwarding whose first connection is refused.
    await suite.cluster.heard('web', 'Kubia server starting');
    for (const [what, port] of [
      ['pod/web', 18_080],
      ['service/web', 18_081],
    ] as const) {
      await using forward = suite.cluster.kubectl.spawn(`port-forward ${what} ${port}:8080`);
      await forward.waitFor('Forwarding from 127.0.0.1');
      for (let n = 0; n < 3; n++) {
        assert.equal(await suite.cluster.bodyOf(`http://127.0.0.1:${port}/`), "You've hit web\n");
      }
    }
  });

  test('debug puts a container beside those of a pod, copies a pod, and opens the node', async () => {
    await kubectl('debug full --image=busybox --container=look --target=main --profile=general -- sleep 300');
    const running = '{.status.ephemeralContainerStatuses[0].state.running}';
    await kubectl(`wait pod/full --for=jsonpath=${running} --timeout=30s`);
    assert.match(await kubectl('exec full -c look -- ps'), /behave log 100000/);
    assert.match(await kubectl('describe pod full'), /^Ephemeral Containers:\n {2}look:/m);
    await kubectl('debug web --image=busybox --copy-to=web-copy --share-processes --profile=general -- sleep 300');
    await kubectl('wait pod/web-copy --for=condition=Ready --timeout=30s');
    await kubectl('debug node/node-1 --image=busybox --profile=general -- cat /host/etc/hostname');
    const [debugger_] = (await kubectl('get pods -o name'))
      .split('\n')
      .filter((name) => name.includes('node-debugger'));
    await kubectl(`wait ${debugger_} --for=jsonpath={.status.phase}=Succeeded --timeout=30s`);
    assert.notEqual(await kubectl(`logs ${debugger_}`), '');
  });

  test('pods that cannot start say why', async () => {
    const pod = (name: string, container: object, more: object = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'main', image: 'behave', args: ['stay'], ...container }], ...more },
    });
    await suite.cluster.kubectl.apply([
      pod('no-image', { image: 'nowhere/none:1' }),
      pod('no-config', { envFrom: [{ configMapRef: { name: 'missing' } }] }),
      pod('no-program', { command: ['no-such-program'] }),
      pod('no-volume', {}, { volumes: [{ name: 'v', secret: { secretName: 'missing' } }] }),
      pod('crashes', { args: ['exit', '3'] }),
    ]);
    const states: [string, RegExp, RegExp][] = [
      ['no-image', /ErrImagePull|ImagePullBackOff/, /Failed +.*Failed to pull image "nowhere\/none:1"/],
      ['no-config', /CreateContainerConfigError/, /Failed +.*configmap "missing" not found/],
      ['no-program', /RunContainerError|CrashLoopBackOff/, /Failed +.*no-such-program/],
      ['no-volume', /ContainerCreating/, /FailedMount +.*secret "missing" not found/],
      ['crashes', /Error|CrashLoopBackOff/, /BackOff +.*Back-off restarting failed container main/],
    ];
    for (const [name, state, words] of states) {
      await until(`${name} is seen`, async () => state.test(await kubectl(`get pod ${name}`)), { timeoutMs: 20_000 });
      await until(`${name} says why`, async () => words.test(await kubectl(`describe pod ${name}`)), {
        timeoutMs: 20_000,
      });
    }
  });

  test('a deleted pod has its grace, and then is gone', async () => {
    await kubectl('run polite --image=behave -- graceful 5');
    await kubectl('wait pod/polite --for=condition=Ready --timeout=30s');
    await using follow = suite.cluster.kubectl.spawn('logs -f polite');
    await follow.waitFor('ready');
    await kubectl('delete pod polite --wait=false');
    assert.match(await kubectl('get pod polite'), /^polite +1\/1 +Terminating /m);
    await follow.waitFor('stopping');
    await kubectl('wait pod/polite --for=delete --timeout=20s');
    await kubectl('run deaf --image=behave -- deaf');
    await kubectl('wait pod/deaf --for=condition=Ready --timeout=30s');
    const started = performance.now();
    await kubectl('delete pod deaf --grace-period=1');
    assert.ok(performance.now() - started < 25_000, 'not the 30 s of its own');
    assert.match(await kubectl('delete pod full --force'), /^pod "full" force deleted/m);
  });
});
