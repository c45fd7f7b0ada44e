import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { findCommand } from '../../tools/setup/needs.ts';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, prepareCluster } from './cluster.ts';

const KUBELET_CONFIGURATION = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: 42
containerLogMaxSize: 10Ki
containerLogMaxFiles: 2
containerLogMonitorInterval: 1s
`;

/** What pods and Services can do on a real node beyond the first steps of up.test.ts. */
describe('a node of tutti up', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  let manifests: string;
  const kubectl = (args: string, input?: string) =>
    cluster.kubectl.text(args, { timeoutMs: 40_000, ...(input !== undefined && { input }) });
  const apply = (...objects: object[]) =>
    kubectl('apply -f -', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  const pod = (name: string, container: object, spec: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'behave', imagePullPolicy: 'IfNotPresent', ...container }],
      ...spec,
    },
  });
  const service = (name: string, spec: object) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ...spec },
  });
  const ready = async (name: string) => {
    await kubectl(`wait pod/${name} --for=create --timeout=30s`);
    await kubectl(`wait pod/${name} --for=condition=Ready --timeout=30s`);
  };
  const shell = async (name: string, script: string) =>
    (await cluster.kubectl.run(['exec', name, '--', 'sh', '-c', script], { timeoutMs: 20_000 })).stdout;

  before(
    async () => {
      cluster = await prepareCluster({ images: ['busybox', 'behave', 'kubia'], others: 1 });
      manifests = `${cluster.host.folder}/manifests`;
      mkdirSync(manifests);
      writeFileSync(`${manifests}/early.json`, JSON.stringify(pod('early', { args: ['serve', '8080'] })));
      const wishes = `${cluster.host.folder}/kubelet.yaml`;
      writeFileSync(wishes, KUBELET_CONFIGURATION);
      await cluster.start('--pod-manifest-path', manifests, '--kubelet-config', wishes);
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  test('pods of the manifest folder run and have mirrors; a file that goes takes its pod along', async () => {
    await ready('early-node-1');
    assert.match(await kubectl('get pod early-node-1 -o jsonpath={.metadata.annotations}'), /config\.mirror/);
    await kubectl('delete pod early-node-1 --wait=false');
    await ready('early-node-1');
    const { status } = await cluster.kubectl.json('get pod early-node-1');
    assert.equal(status.containerStatuses[0].restartCount, 0);
    assert.equal(await cluster.bodyOf(`http://${status.podIP}:8080/`), 'early-node-1\n');
    rmSync(`${manifests}/early.json`);
    await kubectl('wait pod/early-node-1 --for=delete --timeout=30s');
  });

  test('the kubelet goes by its configuration: logs are cut as it says', async () => {
    const { kubeletconfig } = JSON.parse(await kubectl('get --raw /api/v1/nodes/node-1/proxy/configz'));
    assert.deepEqual([kubeletconfig.containerLogMaxFiles, kubeletconfig.maxPods], [2, 42]);
    assert.equal(await kubectl('get node node-1 -o jsonpath={.status.capacity.pods}'), '42');
    const words = 'while :; do echo 0123456789012345678901234567890123456789; sleep 0.01; done';
    await apply(pod('talks', { command: ['sh', '-c', words] }));
    await ready('talks');
    const folder = `${cluster.dataDir}/logs/pods`;
    const files = () => {
      const name = readdirSync(folder).find((one) => one.startsWith('default_talks_'));
      return readdirSync(`${folder}/${name}/main`).sort();
    };
    // The next cut makes yet other names for a moment.
    const isCut = (names: readonly string[]) => names.length === 2 && /^0\.log\.\d{8}-\d{6}$/.test(names[1]!);
    await until('a second file', () => isCut(files()), { timeoutMs: 30_000 });
    await kubectl('delete pod talks --grace-period=0 --force');
  });

  test('a port of the host leads into the pod, from outside, from the node and from another pod', async () => {
    const ports = [{ containerPort: 8080, hostPort: 18_081 }];
    await apply(pod('ported', { args: ['serve', '8080'], ports }), pod('asker', {}));
    await Promise.all([ready('ported'), ready('asker')]);
    const url = `http://${cluster.host.address}:18081/`;
    const other = cluster.network.hosts[1]!;
    assert.equal(await cluster.bodyOf(url), 'ported\n');
    assert.equal((await other.fetch(url)).body, 'ported\n');
    const ask = (name: string) => shell(name, ASK(cluster.host.address, 18_081));
    assert.match(await ask('asker'), /ported/);
    assert.match(await ask('ported'), /ported/, 'and from itself');
    assert.equal(await cluster.bodyOf('http://127.0.0.1:18081/'), 'ported\n', 'and by the loopback address');
  });

  test('a pod reaches itself through its Service', async () => {
    // Its own name would be its own address.
    const itself = service('myself', { ports: [{ port: 80, targetPort: 8080 }], selector: { app: 'self' } });
    await apply(pod('self', { args: ['serve', '8080'] }), itself);
    await ready('self');
    await until('it answers itself', async () => (await shell('self', `${ASK('myself', 80)} || :`)).includes('self\n'));
  });

  test('traffic of a load balancer that stays on the node: the sender is seen, and health is told', async () => {
    const other = cluster.network.hosts[1]!;
    const spec = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      ports: [{ port: 8088, targetPort: 8080 }],
    };
    const seen = [
      'sh',
      '-c',
      'while :; do nc -l -p 8080 -e sh -c "env | grep -i -e peer -e remote; netstat -tn"; done',
    ];
    await apply(pod('kept', { image: 'busybox', command: seen }), service('kept', spec));
    await ready('kept');
    const { spec: given } = await cluster.kubectl.json('get service kept');
    const health = async () => {
      const answer = await cluster.host.fetch(`http://127.0.0.1:${given.healthCheckNodePort}/`).catch(() => undefined);
      return answer?.status;
    };
    await until('it serves here', async () => (await health()) === 200);
    const text = await until('its answer', async () => {
      const socket = await other.connect(8088, cluster.host.address).catch(() => undefined);
      if (!socket) return undefined;
      let body = '';
      socket.on('data', (data) => (body += data.toString())).on('error', () => undefined);
      await new Promise((done) => socket.once('close', done));
      // Refused in the pod, as its server is a new one for each connection.
      return body !== '' && body;
    });
    assert.match(text, new RegExp(`${other.address.replaceAll('.', '\\.')}:\\d+`));
    await kubectl('delete pod kept --grace-period=0 --force');
    await until('nobody serves', async () => (await health()) === 503);
  });

  test('datagrams of one flow find the pod that has come in place of another', {
    skip: findCommand('conntrack') === undefined && 'needs conntrack: the kernel’s memory of flows',
  }, async () => {
    const answers = `require('node:dgram').createSocket('udp4').on('message', function (_, { port, address }) {
      this.send(process.env.HOSTNAME, port, address);
    }).bind(9000)`;
    const named = (name: string) => ({
      ...pod(name, { image: 'kubia', command: ['node', '-e', answers] }),
      metadata: { name, labels: { app: 'datagrams' } },
    });
    await apply(named('first'), service('datagrams', { ports: [{ port: 9000, protocol: 'UDP' }] }));
    await ready('first');
    const ip = await kubectl('get service datagrams -o jsonpath={.spec.clusterIP}');
    // Always from one port: one flow, as the kernel sees it.
    const asks = `const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (text) => { console.log(String(text)); process.exit(); });
      socket.bind(19000, () => socket.send('hello', 9000, process.argv[1]));
      setTimeout(() => process.exit(), 500);`;
    const send = async () => (await cluster.host.exec([process.execPath, '-e', asks, ip])).stdout;
    await until('the first answers', async () => (await send()).includes('first'));
    await kubectl('delete pod first --grace-period=0 --force');
    await apply(named('second'));
    await ready('second');
    await until('the second answers the same sender', async () => (await send()).includes('second'));
  });
});

/** Asks for / by HTTP with what busybox has, and prints the answer. */
const ASK = (host: string, port: number): string =>
  `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc ${host} ${port}`;
