import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, clusterOfSuite } from './cluster.ts';

const main = (more: object = {}) => ({ name: 'main', image: 'behave', args: ['stay'], ...more });

const template = (app: string, more: object = {}, container: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [main(container)], ...more },
});

const CRON_JOB = 'create cronjob tick --image=busybox --schedule=*/1_*_*_*_* -- echo tick'
  .split(' ')
  .map((word) => word.replaceAll('_', ' '));

const DAEMON_SET = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: template('agent', { nodeSelector: { disk: 'ssd' } }),
  },
};

const STATEFUL_SET = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db' },
    spec: { clusterIP: 'None', selector: { app: 'db' }, ports: [{ port: 8080 }] },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      serviceName: 'db',
      replicas: 2,
      selector: { matchLabels: { app: 'db' } },
      template: template('db', {}, { args: ['serve'], volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
        },
      ],
    },
  },
];

const CUSTOM_RESOURCE = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'websites.extensions.example.com' },
  spec: {
    group: 'extensions.example.com',
    scope: 'Namespaced',
    names: { plural: 'websites', singular: 'website', kind: 'Website', shortNames: ['ws'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        additionalPrinterColumns: [{ name: 'Repo', type: 'string', jsonPath: '.spec.gitRepo' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                required: ['gitRepo'],
                properties: {
                  gitRepo: { type: 'string', description: 'Where its pages are.' },
                  replicas: { type: 'integer', minimum: 1, default: 1 },
                },
              },
            },
          },
        },
      },
    ],
  },
};

const website = (name: string, spec: object) => ({
  apiVersion: 'extensions.example.com/v1',
  kind: 'Website',
  metadata: { name },
  spec,
});

describe('workloads with kubectl', requires(...CLUSTER_NEEDS), () => {
  const suite = clusterOfSuite({ images: ['busybox', 'behave'] });
  const { kubectl, refused, described } = suite;
  const namesOf = (selector: string) => kubectl(`get pods -l ${selector} -o jsonpath={.items[*].metadata.name}`);

  test('a CronJob is made, and a Job from it', async () => {
    assert.equal(await kubectl(CRON_JOB), 'cronjob.batch/tick created');
    // With nothing active and no time, unless a minute has begun just now.
    assert.match(
      await kubectl('get cronjob tick'),
      /^tick +\*\/1 \* \* \* \* +<none> +False +(0 +<none>|[01] +\d+s) /m,
    );
    assert.equal(await kubectl('create job by-hand --from=cronjob/tick'), 'job.batch/by-hand created');
    await kubectl('wait job/by-hand --for=condition=Complete --timeout=60s');
    assert.equal(await kubectl('logs job/by-hand'), 'tick');
  });

  test('a Job runs to its end, in parallel, and gives up on what fails', async () => {
    await suite.cluster.kubectl.apply([
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'many' },
        spec: {
          completions: 3,
          parallelism: 2,
          completionMode: 'Indexed',
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [main({ command: ['sh', '-c', 'echo part $JOB_COMPLETION_INDEX'], args: [] })],
            },
          },
        },
      },
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'fails' },
        spec: {
          backoffLimit: 0,
          template: { spec: { restartPolicy: 'Never', containers: [main({ args: ['exit', '3'] })] } },
        },
      },
    ]);
    await kubectl('wait job/many --for=condition=Complete --timeout=60s');
    assert.match(await kubectl('get job many'), /^many +Complete +3\/3 +\d+s +\d+s$/m);
    const parts = await kubectl('logs -l job-name=many --tail=-1');
    assert.deepEqual(parts.split('\n').sort(), ['part 0', 'part 1', 'part 2']);
    await kubectl('wait job/fails --for=condition=Failed --timeout=60s');
    await described('job fails', /Warning +BackoffLimitExceeded .*Job has reached the specified backoff limit/);
    await kubectl('delete job many');
    await until('its pods go with it', async () => (await namesOf('job-name=many')) === '');
  });

  test('a DaemonSet follows the labels of nodes', async () => {
    await kubectl('create -f -', DAEMON_SET);
    assert.match(await kubectl('get ds agent'), /^agent +0 +0 +0 +0 +0 +disk=ssd /m);
    assert.equal(await kubectl('label node node-1 disk=ssd'), 'node/node-1 labeled');
    await kubectl('rollout status ds/agent --timeout=60s');
    await kubectl('wait ds/agent --for=jsonpath={.status.numberReady}=1 --timeout=30s');
    assert.match(await kubectl('get nodes -L disk'), /^node-1 .* ssd$/m);
    await kubectl('label node node-1 disk=hdd --overwrite');
    await until('its pod goes', async () => (await namesOf('app=agent')) === '');
    await kubectl('label node node-1 disk-');
  });

  test('a StatefulSet: names, order, a volume for each, addresses by name', async () => {
    await suite.cluster.kubectl.apply(STATEFUL_SET);
    await kubectl('rollout status statefulset/db --timeout=60s');
    assert.equal(await namesOf('app=db'), 'db-0 db-1');
    assert.match(await kubectl('get pvc'), /^data-db-0 +Bound +pvc-\S+ +1Mi +RWO +local-path /m);
    await kubectl(['exec', 'db-1', '--', 'sh', '-c', 'echo kept by $HOSTNAME > /data/words']);
    const ip = await kubectl('get pod db-1 -o jsonpath={.status.podIP}');
    const look = ['exec', 'db-0', '--', 'nslookup', '-type=a', 'db-1.db.default.svc.cluster.local'];
    await until('its name leads to it', async () => {
      return (await suite.cluster.kubectl.run(look, { check: false })).stdout.includes(ip);
    });
    const ask = 'exec db-0 -- wget -q -O - http://db-1.db:8080/';
    await until('it answers by its name', async () => {
      return (await suite.cluster.kubectl.run(ask, { check: false })).stdout.trim() === 'db-1';
    });
    const uid = await kubectl('get pod db-1 -o jsonpath={.metadata.uid}');
    await kubectl('delete pod db-1');
    await until('another of that name', async () => {
      const { stdout } = await suite.cluster.kubectl.run('get pod db-1 -o jsonpath={.metadata.uid}', { check: false });
      return stdout !== '' && stdout !== uid;
    });
    await kubectl('wait pod/db-1 --for=condition=Ready --timeout=30s');
    assert.equal(await kubectl('exec db-1 -- cat /data/words'), 'kept by db-1');
    await kubectl('scale statefulset db --replicas=1');
    await kubectl('wait pod/db-1 --for=delete --timeout=30s');
    assert.match(await kubectl('get pvc data-db-1'), /Bound/);
    assert.match(await kubectl('describe pvc data-db-0'), /^Used By: +db-0$/m);
    await kubectl('delete statefulset db');
    await kubectl('delete pvc data-db-0 data-db-1');
    await until('the volumes go too', async () => (await kubectl('get pv -o name')) === '');
  });

  test('labels and selectors', async () => {
    await kubectl('create deployment labelled --image=behave --replicas=2 -- behave stay');
    await kubectl('rollout status deployment/labelled --timeout=60s');
    const [first, second] = (await namesOf('app=labelled')).split(' ') as [string, string];
    assert.equal(await kubectl(`label pod ${first} tier=front env=test`), `pod/${first} labeled`);
    assert.equal(await namesOf('app=labelled,tier=front'), first);
    assert.equal(await namesOf('app=labelled,!tier'), second);
    assert.equal(await namesOf('env!=test,app=labelled'), second);
    assert.equal(await kubectl(['get', 'pods', '-l', 'env in (test,prod)', '-o', 'name']), `pod/${first}`);
    assert.equal(await kubectl(`get pods --field-selector=metadata.name=${second} -o name`), `pod/${second}`);
    assert.match(await kubectl('get pods --show-labels'), /app=labelled,env=test,pod-template-hash=\w+,tier=front$/m);
    // A pod whose label no longer matches is let go, and another takes its place.
    await kubectl(`label pod ${first} app=free --overwrite`);
    await kubectl('rollout status deployment/labelled --timeout=60s');
    await until('there are two again', async () => (await namesOf('app=labelled')).split(' ').length === 2);
    assert.equal(await kubectl(`get pod ${first} -o jsonpath={.metadata.ownerReferences}`), '');
    await kubectl(`delete pod ${first} --wait=false`);
  });

  test('a pod that fits nowhere says why, and runs once it does', async () => {
    const pod = (name: string, spec: object, container: object = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [main(container)], ...spec },
    });
    await suite.cluster.kubectl.apply([
      pod('choosy', { nodeSelector: { gpu: 'yes' } }),
      pod('huge', {}, { resources: { requests: { cpu: '800' } } }),
    ]);
    const none = 'Warning +FailedScheduling .*0/1 nodes are available: 1';
    const selector = "node\\(s\\) didn't match Pod's node affinity/selector\\. ";
    await described('pod choosy', new RegExp(`${none} ${selector}`));
    await described('pod huge', new RegExp(`${none} Insufficient cpu\\. `));
    assert.match(await kubectl('get pod choosy'), /^choosy +0\/1 +Pending +0 /m);
    await kubectl('label node node-1 gpu=yes');
    await kubectl('wait pod/choosy --for=condition=Ready --timeout=30s');
    await kubectl('label node node-1 gpu-');
    await kubectl('taint node node-1 team=a:NoSchedule');
    await suite.cluster.kubectl.apply([
      pod('kept-out', {}),
      pod('let-in', { tolerations: [{ key: 'team', operator: 'Equal', value: 'a', effect: 'NoSchedule' }] }),
    ]);
    await kubectl('wait pod/let-in --for=condition=Ready --timeout=30s');
    await described('pod kept-out', new RegExp(`${none} node\\(s\\) had untolerated taint\\(s\\)\\. `));
    await kubectl('taint node node-1 team=a:NoSchedule-');
    await kubectl('wait pod/kept-out --for=condition=Ready --timeout=30s');
    await kubectl('taint node node-1 out=now:NoExecute');
    await kubectl('wait pod/kept-out --for=delete --timeout=30s');
    const evictions = () => kubectl('get events --field-selector=reason=TaintManagerEviction');
    await until('an event says so', async () => /pod\/kept-out/.test(await evictions()));
    await kubectl('taint node node-1 out-');
  });

  test('cordon, drain and uncordon', async () => {
    await kubectl('rollout status deployment/labelled --timeout=60s');
    await kubectl('create poddisruptionbudget careful --selector=app=labelled --min-available=2');
    await kubectl('wait pdb/careful --for=jsonpath={.status.currentHealthy}=2 --timeout=10s');
    assert.equal(await kubectl('cordon node-1'), 'node/node-1 cordoned');
    assert.match(await kubectl('get nodes'), /^node-1 +Ready,SchedulingDisabled /m);
    const words = await refused('drain node-1 --force --ignore-daemonsets --delete-emptydir-data --timeout=4s');
    assert.match(words, /Cannot evict pod as it would violate the pod's disruption budget/);
    await kubectl('delete pdb careful');
    const drained = await kubectl('drain node-1 --force --ignore-daemonsets --delete-emptydir-data --timeout=40s');
    assert.match(drained, /^node\/node-1 drained$/m);
    assert.equal(await kubectl('get pods --field-selector=status.phase=Running -o name'), '');
    await described('pods -l app=labelled', /0\/1 nodes are available: 1 node\(s\) were unschedulable\. /);
    assert.equal(await kubectl('uncordon node-1'), 'node/node-1 uncordoned');
    await kubectl('rollout status deployment/labelled --timeout=60s');
  });

  test('a custom resource has instances, columns, explanations and rules', async () => {
    await kubectl('create -f -', CUSTOM_RESOURCE);
    await kubectl('wait crd/websites.extensions.example.com --for=condition=Established --timeout=10s');
    await kubectl('create -f -', website('kubia', { gitRepo: 'https://example.com/kubia.git' }));
    assert.match(await kubectl('get ws'), /^NAME +REPO\nkubia +https:\/\/example\.com\/kubia\.git$/m);
    assert.equal(await kubectl('get website kubia -o jsonpath={.spec.replicas}'), '1');
    assert.match(await refused('create -f -', website('bad', {})), /spec\.gitRepo: Required value/);
    assert.match(
      await refused('create -f -', website('bad', { gitRepo: 'x', replicas: 0 })),
      /spec\.replicas: Invalid value: 0: spec\.replicas in body should be greater than or equal to 1/,
    );
    assert.match(
      await refused('create -f -', website('bad', { gitRepo: 'x', rplcs: 1 })),
      /unknown field "spec\.rplcs"/,
    );
    await until('it is explained', async () => {
      const { stdout } = await suite.cluster.kubectl.run('explain website.spec.gitRepo', { check: false });
      return stdout.includes('Where its pages are.');
    });
    assert.match(await kubectl('describe website kubia'), /^ +Git Repo: +https:/m);
    await kubectl('delete crd websites.extensions.example.com');
    // kubectl remembers kinds for a while, and asks for what is no more.
    const gone = /could not find the requested resource|doesn't have a resource type "ws"/;
    await until('the kind has gone', async () => gone.test(await refused('get ws')));
  });

  test('a service account may do what its role says, and no more', async () => {
    await kubectl('create namespace guarded');
    await kubectl('create serviceaccount reader -n guarded');
    await kubectl('create role see --verb=get,list --resource=pods -n guarded');
    await kubectl('create rolebinding see --role=see --serviceaccount=guarded:reader -n guarded');
    const token = await kubectl('create token reader -n guarded');
    const as = [
      '--kubeconfig=/dev/null',
      `--token=${token}`,
      '--insecure-skip-tls-verify',
      '--server=https://127.0.0.1:6443',
    ];
    assert.equal(await kubectl([...as, 'get', 'pods', '-n', 'guarded', '-o', 'name']), '');
    const who = 'User "system:serviceaccount:guarded:reader" cannot';
    assert.match(
      await refused([...as, 'get', 'secrets', '-n', 'guarded']),
      new RegExp(`secrets is forbidden: ${who} list resource "secrets" in API group "" in the namespace "guarded"`),
    );
    assert.match(await refused([...as, 'get', 'pods', '-n', 'default']), /pods is forbidden/);
    assert.equal(await kubectl([...as, 'auth', 'can-i', 'list', 'pods', '-n', 'guarded']), 'yes');
    assert.match(await kubectl([...as, 'auth', 'whoami']), /system:serviceaccount:guarded:reader/);
    const { stdout } = await suite.cluster.kubectl.run([...as, 'auth', 'can-i', 'create', 'pods'], { check: false });
    assert.equal(stdout.trim(), 'no');
    await kubectl('run inside --image=busybox -n guarded -- sleep 60');
    await kubectl('wait pod/inside -n guarded --for=condition=Ready --timeout=30s');
    const mounted = await kubectl('exec inside -n guarded -- ls /var/run/secrets/kubernetes.io/serviceaccount');
    assert.equal(mounted, 'ca.crt\nnamespace\ntoken');
  });

  test('a quota refuses what is too much, and counts', async () => {
    await kubectl('create quota few -n guarded --hard=pods=1,configmaps=3');
    await described('quota few -n guarded', /pods +1 +1/);
    assert.match(
      await refused('run second --image=busybox -n guarded'),
      /pods "second" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1/,
    );
    await kubectl('create deployment waits --image=behave -n guarded -- behave stay');
    await described('rs -n guarded', /FailedCreate .*exceeded quota: few/);
    await suite.cluster.kubectl.apply({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'small', namespace: 'guarded' },
      spec: { limits: [{ type: 'Container', default: { memory: '20Mi' }, max: { memory: '50Mi' } }] },
    });
    await kubectl('delete pod inside -n guarded --grace-period=1');
    await until(
      'the deployment has its place',
      async () => /1\/1/.test(await kubectl('get deployment waits -n guarded')),
      { timeoutMs: 40_000 },
    );
    const limit = '{.items[0].spec.containers[0].resources.limits.memory}';
    assert.equal(await kubectl(`get pods -n guarded -o jsonpath=${limit}`), '20Mi');
  });

  test('a namespace goes with all that is in it', async () => {
    await kubectl('create configmap one -n guarded --from-literal=a=b');
    assert.equal(await kubectl('delete namespace guarded --timeout=60s'), 'namespace "guarded" deleted');
    assert.match(await refused('get namespace guarded'), /namespaces "guarded" not found/);
    assert.equal(await kubectl('get all,cm,sa,quota,limits -n guarded --ignore-not-found'), '');
    assert.match(await refused('create configmap two -n guarded'), /namespaces "guarded" not found/);
  });

  test('the CronJob has run at its minute', async () => {
    const ran = async () => /^tick-\d+ +Complete/m.test(await kubectl('get jobs'));
    await until('a minute begins', ran, { timeoutMs: 75_000, everyMs: 500 });
    await described('cronjob tick', /Normal +SuccessfulCreate .*Created job tick-\d+/);
    await kubectl(['patch', 'cronjob', 'tick', '-p', '{"spec":{"suspend":true}}']);
    assert.match(await kubectl('get cronjob tick'), /^tick +\*\/1 \* \* \* \* +<none> +True /m);
  });
});
