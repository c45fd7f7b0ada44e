import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, clusterOfSuite } from './cluster.ts';

/** What a first pod says of its beginning, in the order of `kubectl describe`. */
const BEGINNING = ['Scheduled', 'Pulling', 'Pulled', 'Created', 'Started'];

const KUBIA_MANUAL = `
apiVersion: v1
kind: Pod
metadata:
  name: kubia-manual
spec:
  containers:
  - image: luksa/kubia
    name: kubia
    ports:
    - containerPort: 8080
      protocol: TCP
`;

const KUBIA_RC = `
apiVersion: v1
kind: ReplicationController
metadata:
  name: kubia
spec:
  replicas: 1
  selector:
    app: kubia-rc
  template:
    metadata:
      labels:
        app: kubia-rc
    spec:
      containers:
      - name: kubia
        image: luksa/kubia
        ports:
        - containerPort: 8080
`;

/** Three pods that are ready as long as a file is there. */
const READY_WHILE_FILE = {
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: { name: 'probed' },
  spec: {
    replicas: 2,
    selector: { app: 'probed' },
    template: {
      metadata: { labels: { app: 'probed' } },
      spec: {
        containers: [
          {
            name: 'kubia',
            image: 'kubia',
            ports: [{ containerPort: 8080 }],
            readinessProbe: { exec: { command: ['ls', '/tmp/ready'] }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
};

const UNHEALTHY = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'unhealthy' },
  spec: {
    containers: [
      {
        name: 'kubia',
        image: 'luksa/kubia-unhealthy',
        livenessProbe: {
          httpGet: { path: '/', port: 8080 },
          initialDelaySeconds: 1,
          periodSeconds: 1,
          // It serves a while after its start, and is not to die of that.
          failureThreshold: 5,
        },
      },
    ],
  },
};

describe('first steps with kubectl', requires(...CLUSTER_NEEDS), () => {
  const suite = clusterOfSuite({ images: ['busybox', 'kubia'] });
  const { kubectl } = suite;
  const podsOf = async (selector: string) =>
    (await kubectl(`get pods -l ${selector} -o name`)).split('\n').map((line) => line.replace('pod/', ''));

  /** The pods whose names are in that many answers of a server. */
  async function answersOf(url: string, count: number): Promise<Set<string>> {
    const bodies = new Set<string>();
    for (let n = 0; n < count; n++) bodies.add((await suite.cluster.bodyOf(url)).trim().replace(/.* /, ''));
    return bodies;
  }

  test('the cluster says what it is', async () => {
    assert.match(await kubectl('get nodes -o wide'), /^node-1 +Ready +<none> .* v1\.\d+\.\d+ .*containerd:\/\//m);
    assert.match(await kubectl('cluster-info'), /control plane.* is running at .*https:\/\/127\.0\.0\.1:6443/);
    assert.match(await kubectl('api-resources'), /^deployments +deploy +apps\/v1 +true +Deployment$/m);
    assert.match(await kubectl('api-versions'), /^apps\/v1$/m);
    assert.match(await kubectl('explain deployment.spec.strategy'), /^FIELD: strategy <DeploymentStrategy>$/m);
    for (const reason of ['Starting', 'NodeHasSufficientMemory', 'NodeReady', 'RegisteredNode']) {
      await suite.described('node node-1', new RegExp(`^ +Normal +${reason} `, 'm'));
    }
  });

  test('a deployment, a pod of run, of a file, and a replication controller begin in the same way', async () => {
    assert.equal(await kubectl('create deployment kubia --image=kubia --port=8080'), 'deployment.apps/kubia created');
    assert.equal(await kubectl('run kubia --image=kubia --port=8080'), 'pod/kubia created');
    assert.equal(await kubectl('create -f -', KUBIA_MANUAL), 'pod/kubia-manual created');
    assert.equal(await kubectl('create -f -', KUBIA_RC), 'replicationcontroller/kubia created');
    assert.match(await kubectl('rollout status deployment/kubia --timeout=60s'), /successfully rolled out/);
    await kubectl('wait pods --all --for=condition=Ready --timeout=60s');
    for (const what of ['-l app=kubia', 'kubia', 'kubia-manual', '-l app=kubia-rc']) {
      const described = await suite.described(`pod ${what}`, /^ +Normal +Started /m);
      const reasons = [...described.matchAll(/^ +Normal +(\w+) /gm)].map(([, reason]) => reason);
      assert.deepEqual(reasons, BEGINNING, described);
    }
    await suite.described('rc kubia', /SuccessfulCreate .* Created pod: kubia-\w{5}$/m);
    await suite.described('deployment kubia', /ScalingReplicaSet .* Scaled up replica set kubia-/);
  });

  test('logs, of a pod and of a container', async () => {
    for (const what of ['kubia-manual', 'deployment/kubia']) await suite.cluster.heard(what, 'Kubia server starting');
    assert.equal(await kubectl('logs kubia-manual'), 'Kubia server starting...');
    assert.equal(await kubectl('logs kubia-manual -c kubia'), 'Kubia server starting...');
    assert.equal(await kubectl('logs deployment/kubia --tail=1'), 'Kubia server starting...');
    assert.match(await suite.refused('logs kubia-manual -c none'), /container none is not valid for pod kubia-manual/);
  });

  test('a deployment is reached by ClusterIP, NodePort, external address and name', async () => {
    const { host } = suite.cluster;
    await kubectl('expose deployment kubia --type=LoadBalancer --name kubia-http');
    const [pod] = await podsOf('app=kubia');
    const address = '{.status.loadBalancer.ingress[0].ip}';
    await kubectl(`wait service/kubia-http --for=jsonpath=${address} --timeout=10s`);
    const { spec, status } = await suite.cluster.kubectl.json('get service kubia-http');
    for (const url of [
      `http://${spec.clusterIP}:8080/`,
      `http://${host.address}:${spec.ports[0].nodePort}/`,
      `http://${status.loadBalancer.ingress[0].ip}:8080/`,
    ]) {
      assert.equal(await suite.cluster.bodyOf(url), `You've hit ${pod}\n`, url);
    }
    await kubectl('run asks --image=busybox --command -- sleep 3600');
    await kubectl('wait pod/asks --for=condition=Ready --timeout=60s');
    for (const name of ['kubia-http', 'kubia-http.default', 'kubia-http.default.svc.cluster.local']) {
      assert.equal(await kubectl(`exec asks -- wget -q -O - http://${name}:8080/`), `You've hit ${pod}`, name);
    }
  });

  test('a replication controller is exposed and scaled; the new pods are seen to arrive and to answer', async () => {
    await kubectl('expose rc kubia --type=LoadBalancer --name kubia-rc --port=80 --target-port=8080');
    await using watch = suite.cluster.kubectl.spawn('get pods -l app=kubia-rc -o wide --watch');
    await watch.waitFor(/^kubia-\w+ +1\/1 +Running/m);
    assert.equal(await kubectl('scale rc kubia --replicas=3'), 'replicationcontroller/kubia scaled');
    await kubectl('wait rc/kubia --for=jsonpath={.status.readyReplicas}=3 --timeout=60s');
    const pods = await podsOf('app=kubia-rc');
    assert.equal(pods.length, 3);
    for (const pod of pods)
      await watch.waitFor(new RegExp(`^${pod} +1/1 +Running .* 10\\.244\\.\\d+\\.\\d+ +node-1`, 'm'));
    const ip = await kubectl('get service kubia-rc -o jsonpath={.spec.clusterIP}');
    await until('all three answer', async () => (await answersOf(`http://${ip}/`, 20)).size === 3);
    assert.deepEqual([...(await answersOf(`http://${ip}/`, 60))].sort(), [...pods].sort());
  });

  test('a new image is rolled out, and taken back', async () => {
    const url = `http://${await kubectl('get service kubia-http -o jsonpath={.spec.clusterIP}')}:8080/`;
    const answers = (words: string) =>
      until(words, async () => (await suite.cluster.bodyOf(url)).startsWith(words), { timeoutMs: 20_000 });
    await kubectl('set image deployment/kubia kubia=kubia:v2');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    await answers('This is v2 running in pod kubia-');
    assert.match(await kubectl('rollout history deployment/kubia'), /^1 .*\n2 /m);
    assert.match(await kubectl('rollout history deployment/kubia --revision=2'), /Image:\s+kubia:v2/);
    assert.equal(await kubectl('rollout undo deployment/kubia'), 'deployment.apps/kubia rolled back');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    await answers("You've hit kubia-");
    await kubectl('rollout restart deployment/kubia');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    assert.match(await kubectl('rollout history deployment/kubia'), /^2 .*\n3 .*\n4 /m);
  });

  test('a rollout is paused, and an image that is nowhere stops it', async () => {
    await kubectl('rollout pause deployment/kubia');
    await kubectl('set image deployment/kubia kubia=kubia:nowhere');
    await until('its pod is of the old', async () =>
      /^kubia +1\/1 +0 +1 /m.test(await kubectl('get deployment kubia')),
    );
    await kubectl('rollout resume deployment/kubia');
    await until('the pull fails', async () => /ErrImagePull|ImagePullBackOff/.test(await kubectl('get pods')), {
      timeoutMs: 30_000,
    });
    assert.match(await kubectl('get deployment kubia'), /^kubia +1\/1 +1 +1 /m, 'the old pod serves on');
    await kubectl('rollout undo deployment/kubia');
    await kubectl('rollout status deployment/kubia --timeout=60s');
  });

  test('a container killed behind the cluster’s back starts again, the second time after a while', async () => {
    const restarts = () => kubectl('get pod kubia-manual -o jsonpath={.status.containerStatuses[0].restartCount}');
    await suite.cluster.killContainer('kubia-manual');
    await until('it starts again', async () => (await restarts()) === '1', { timeoutMs: 20_000 });
    await suite.cluster.heard('kubia-manual', 'Kubia server starting');
    // What is to be seen lasts for ten seconds only: a watch misses none of it.
    await using watch = suite.cluster.kubectl.spawn('get pod kubia-manual --watch');
    await watch.waitFor(/^kubia-manual +1\/1 +Running +1 /m);
    await suite.cluster.killContainer('kubia-manual');
    await watch.waitFor(/^kubia-manual +0\/1 +CrashLoopBackOff +1 \(\d+s ago\)/m);
    assert.match(await kubectl('logs kubia-manual --previous'), /Kubia server starting/);
  });

  test('a deleted pod is replaced', async () => {
    const before = await podsOf('app=kubia-rc');
    assert.equal(await kubectl(`delete pod ${before[0]}`), `pod "${before[0]}" deleted`);
    const now = await until('there are three again', async () => {
      const pods = await podsOf('app=kubia-rc');
      return pods.length === 3 && pods;
    });
    const others = now.filter((pod) => !before.includes(pod));
    assert.equal(others.length, 1);
    await kubectl(`wait pod/${others[0]} --for=condition=Ready --timeout=30s`);
    await kubectl('wait rc/kubia --for=jsonpath={.status.readyReplicas}=3 --timeout=30s');
  });

  test('a pod that is not ready is out of its Service, and the rest serve', async () => {
    await kubectl('create -f -', READY_WHILE_FILE);
    await kubectl('expose rc probed --port=80 --target-port=8080');
    await kubectl('wait rc/probed --for=jsonpath={.status.replicas}=2 --timeout=30s');
    await kubectl('wait pods -l app=probed --for=jsonpath={.status.phase}=Running --timeout=30s');
    const pods = await podsOf('app=probed');
    assert.match(await kubectl('get pods -l app=probed'), /^probed-\w+ +0\/1 +Running/m);
    const addresses = () => kubectl('get endpoints probed -o jsonpath={.subsets[*].addresses[*].targetRef.name}');
    assert.equal(await addresses(), '');
    for (const pod of pods) await kubectl(`exec ${pod} -- touch /tmp/ready`);
    await kubectl('wait pods -l app=probed --for=condition=Ready --timeout=20s');
    await until('both are in', async () => (await addresses()).split(' ').length === 2);
    const [first, second] = pods as [string, string];
    await kubectl(`exec ${first} -- rm /tmp/ready`);
    await kubectl(`wait pod/${first} --for=condition=Ready=false --timeout=20s`);
    await until('it is out', async () => (await addresses()) === second);
    await suite.described(`pod ${first}`, /Warning +Unhealthy .*Readiness probe failed: /);
    const ip = await kubectl('get service probed -o jsonpath={.spec.clusterIP}');
    // kube-proxy hears of it a moment after the API has it.
    await until('the other answers alone', async () => [...(await answersOf(`http://${ip}/`, 20))].join() === second);
    assert.equal(
      await kubectl(`get pod ${first} -o jsonpath={.status.containerStatuses[0].restartCount}`),
      '0',
      'nothing restarts it',
    );
  });

  test('a failing liveness probe restarts a container', async () => {
    await kubectl('create -f -', UNHEALTHY);
    await kubectl('wait pod/unhealthy --for=condition=Ready --timeout=30s');
    const ip = await kubectl('get pod unhealthy -o jsonpath={.status.podIP}');
    // It answers five times.
    for (let n = 0; n < 5; n++) await suite.cluster.bodyOf(`http://${ip}:8080/`);
    const restarted = async () =>
      Number(await kubectl('get pod unhealthy -o jsonpath={.status.containerStatuses[0].restartCount}')) > 0;
    await until('it is restarted', restarted, { timeoutMs: 40_000, everyMs: 200 });
    await suite.described(
      'pod unhealthy',
      /Warning +Unhealthy .*Liveness probe failed: HTTP probe failed with statuscode: 500/,
    );
    await suite.described(
      'pod unhealthy',
      /Normal +Killing .*Container kubia failed liveness probe, will be restarted/,
    );
  });

  test('the container that waited runs again, and its pod tells the story', async () => {
    await kubectl('wait pod/kubia-manual --for=condition=Ready --timeout=30s');
    const { status } = await suite.cluster.kubectl.json('get pod kubia-manual');
    assert.equal(status.containerStatuses[0].restartCount, 2);
    const described = await suite.described('pod kubia-manual', /^ +Normal +Started +.*\(x3 over /m);
    assert.match(described, /Last State: +Terminated\n +Reason: +Error\n +Exit Code: +137/);
    assert.match(
      described,
      /^ +Warning +BackOff .*Back-off restarting failed container kubia in pod kubia-manual_default/m,
    );
  });
});
