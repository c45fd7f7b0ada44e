import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, clusterOfSuite } from './cluster.ts';

const settings = (data: Record<string, string>, name = 'settings') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels: { set: 'one' } },
  data,
});

/** Makes one of each: the words after `create`, and what it says. */
const CREATIONS: readonly [string, string][] = [
  ['clusterrole look --verb=get --resource=pods', 'clusterrole.rbac.authorization.k8s.io/look created'],
  ['clusterrolebinding look --clusterrole=look --user=me', 'clusterrolebinding.rbac.authorization.k8s.io/look created'],
  ['configmap literal --from-literal=a=b', 'configmap/literal created'],
  ['cronjob daily --image=busybox --schedule=@daily', 'cronjob.batch/daily created'],
  ['deployment web --image=behave --port=8080 -- behave stay', 'deployment.apps/web created'],
  ['ingress web --rule=example.com/path*=web:8080 --class=none', 'ingress.networking.k8s.io/web created'],
  ['job once --image=busybox -- true', 'job.batch/once created'],
  ['namespace other', 'namespace/other created'],
  ['poddisruptionbudget web --selector=app=web --max-unavailable=1', 'poddisruptionbudget.policy/web created'],
  ['priorityclass high --value=1000 --description=first', 'priorityclass.scheduling.k8s.io/high created'],
  ['quota much --hard=pods=50', 'resourcequota/much created'],
  ['role look --verb=get --resource=pods', 'role.rbac.authorization.k8s.io/look created'],
  ['rolebinding look --role=look --user=me', 'rolebinding.rbac.authorization.k8s.io/look created'],
  ['secret generic words --from-literal=a=b', 'secret/words created'],
  ['secret docker-registry pull --docker-username=me --docker-password=x', 'secret/pull created'],
  ['service clusterip plain --tcp=80:8080', 'service/plain created'],
  ['service nodeport node --tcp=80:8080', 'service/node created'],
  ['service loadbalancer outside --tcp=8088:8080', 'service/outside created'],
  ['service externalname named --external-name=example.com', 'service/named created'],
  ['serviceaccount robot', 'serviceaccount/robot created'],
];

describe('kubectl', requires(...CLUSTER_NEEDS), () => {
  const suite = clusterOfSuite({ images: ['busybox', 'behave'] });
  const { kubectl, refused } = suite;

  test('creates one of each, dry and in earnest, and describes it', async () => {
    const names = CREATIONS.map(([, created]) => created.replace(' created', ''));
    for (const [n, [words, created]] of CREATIONS.entries()) {
      const [first, ...command] = words.split(' -- ');
      assert.equal(await kubectl([`create ${first} --dry-run=server -o name`, ...command].join(' -- ')), names[n]);
      assert.equal(await kubectl(`create ${words}`), created);
    }
    const described = await kubectl(`describe ${names.join(' ')}`);
    assert.equal(described.match(/^Name: +/gm)?.length, names.length, described);
    assert.match(await refused('create configmap literal'), /configmaps "literal" already exists/);
    assert.match(await kubectl('create token robot'), /^ey/);
  });

  test('lists in every form', async () => {
    await kubectl('rollout status deployment/web --timeout=60s');
    assert.match(await kubectl('get deploy,svc,cm,sa -o wide --show-kind'), /^deployment\.apps\/web +1\/1/m);
    assert.equal(await kubectl('get deploy -o custom-columns=N:.metadata.name --no-headers'), 'web');
    assert.equal(await kubectl(['get', 'deploy', '-o', 'go-template={{range .items}}{{.spec.replicas}}{{end}}']), '1');
    assert.match(await kubectl('get svc --sort-by=.metadata.name'), /^kubernetes .*\nnamed .*\nnode /m);
    assert.match(await kubectl('get all -A'), /^default +deployment\.apps\/web /m);
    assert.match(await kubectl('get deployment web -o yaml --show-managed-fields'), /manager: kubectl-create/);
    assert.equal(await kubectl('get --raw /readyz'), 'ok');
    assert.match(await kubectl('get --raw /livez?verbose'), /^livez check passed$/m);
    assert.match(await kubectl('get --raw /version'), /"major": *"1"/);
    assert.match(await kubectl('get --raw /metrics'), /^apiserver_/m);
    assert.match(await refused('get nothing'), /doesn't have a resource type "nothing"/);
    assert.match(await refused('get pod none'), /pods "none" not found/);
    assert.match(await kubectl('api-resources --verbs=list --namespaced -o name'), /^deployments\.apps$/m);
    assert.match(await refused('top nodes'), /Metrics API not available/);
  });

  test('apply: client-side, with diff and prune', async () => {
    const first = settings({ a: '1', b: '2' });
    assert.equal(await kubectl('apply -f -', first), 'configmap/settings created');
    assert.equal(await kubectl('apply -f -', first), 'configmap/settings unchanged');
    const second = settings({ a: '1', c: '3' });
    const { code, stdout } = await suite.cluster.kubectl.run('diff -f -', {
      input: JSON.stringify(second),
      check: false,
    });
    assert.equal(code, 1);
    assert.match(stdout, /^- +b: "2"\n\+ +c: "3"$/m);
    assert.equal(await kubectl('apply -f -', second), 'configmap/settings configured');
    assert.equal(await kubectl('get cm settings -o jsonpath={.data}'), '{"a":"1","c":"3"}');
    assert.match(await kubectl('apply view-last-applied cm settings'), /c: "3"/);
    await kubectl('apply -f -', settings({}, 'leaves'));
    const pruned = await kubectl('apply -f - --prune -l set=one --prune-allowlist=core/v1/ConfigMap', second);
    assert.match(pruned, /^configmap\/leaves pruned$/m);
  });

  test('apply: server-side, with conflicts', async () => {
    const apply = (manager: string, data: Record<string, string>, ...more: string[]) =>
      [['apply', '--server-side', `--field-manager=${manager}`, '-f', '-', ...more], settings(data, 'shared')] as const;
    assert.equal(await kubectl(...apply('one', { a: '1' })), 'configmap/shared serverside-applied');
    assert.equal(await kubectl(...apply('two', { b: '1' })), 'configmap/shared serverside-applied');
    const words = await refused(...apply('two', { a: '2', b: '1' }));
    assert.match(words, /conflict with "one": \.data\.a/);
    await kubectl(...apply('two', { a: '2' }, '--force-conflicts'));
    await kubectl(...apply('one', {}));
    assert.equal(await kubectl('get cm shared -o jsonpath={.data}'), '{"a":"2"}');
  });

  test('edit, patch, label, annotate, set and replace', async () => {
    const folder = join(suite.cluster.host.folder, 'editor');
    mkdirSync(folder);
    const editor = join(folder, 'edit');
    writeFileSync(editor, '#!/bin/sh\nsed -i s/v1-of-it/v2-of-it/ "$1"\n');
    chmodSync(editor, 0o755);
    await kubectl('create configmap edited --from-literal=word=v1-of-it');
    const env = ['env', `KUBE_EDITOR=${editor}`];
    assert.equal(await suite.cluster.kubectl.runWith(env, 'edit configmap edited'), 'configmap/edited edited\n');
    assert.equal(await kubectl('get cm edited -o jsonpath={.data.word}'), 'v2-of-it');
    for (const [type, patch, word] of [
      ['strategic', '{"data":{"word":"s"}}', 's'],
      ['merge', '{"data":{"word":"m"}}', 'm'],
      ['json', '[{"op":"replace","path":"/data/word","value":"j"}]', 'j'],
    ]) {
      await kubectl(['patch', 'cm', 'edited', `--type=${type}`, '-p', patch!]);
      assert.equal(await kubectl('get cm edited -o jsonpath={.data.word}'), word);
    }
    assert.equal(await kubectl('annotate cm edited note=there'), 'configmap/edited annotated');
    assert.equal(await kubectl('label cm edited a=b'), 'configmap/edited labeled');
    assert.match(await refused('label cm edited a=c'), /'a' already has a value \(b\), and --overwrite is false/);
    assert.equal(await kubectl('set env deployment/web COLOR=red'), 'deployment.apps/web env updated');
    assert.equal(
      await kubectl('set resources deployment/web --limits=memory=64Mi'),
      'deployment.apps/web resource requirements updated',
    );
    assert.equal(
      await kubectl('set serviceaccount deployment/web robot'),
      'deployment.apps/web serviceaccount updated',
    );
    await kubectl('rollout status deployment/web --timeout=60s');
    assert.match(await kubectl('describe deployment web'), /COLOR: +red/);
    const yaml = await kubectl('get cm edited -o yaml');
    assert.equal(await kubectl('replace -f -', yaml.replace('word: j', 'word: r')), 'configmap/edited replaced');
    assert.match(await refused('replace -f -', yaml), /the object has been modified/);
    assert.match(
      await kubectl('replace --force -f -', yaml.replace(/^ {2}(resourceVersion|uid).*\n/gm, '')),
      /replaced$/m,
    );
  });

  test('auth says who may what', async () => {
    assert.equal(await kubectl('auth can-i delete nodes'), 'yes');
    const { stdout } = await suite.cluster.kubectl.run('auth can-i delete nodes --as=me', { check: false });
    assert.equal(stdout.trim(), 'no');
    assert.equal(await kubectl('auth can-i get pods --as=me'), 'yes');
    assert.match(await kubectl('auth can-i --list --as=me'), /^pods +\[\] +\[\] +\[get\]$/m);
    assert.match(await kubectl('auth whoami'), /system:masters/);
    assert.match(
      await refused('get secrets --as=me'),
      /secrets is forbidden: User "me" cannot list resource "secrets"/,
    );
  });

  test('events, of all and of one, and as they come', async () => {
    await using watch = suite.cluster.kubectl.spawn('events --watch');
    assert.match(await kubectl('events --types=Normal'), /ScalingReplicaSet +Deployment\/web/);
    assert.match(await kubectl('events --for=deployment/web'), /ScalingReplicaSet/);
    await kubectl('scale deployment web --replicas=2');
    await watch.waitFor(/ScalingReplicaSet +Deployment\/web +Scaled up replica set web-\w+ from 1 to 2/);
    await kubectl('wait job/once --for=condition=Complete --timeout=30s');
    const completed = 'get events --field-selector=involvedObject.kind=Job,reason=Completed';
    await until('the Job says so', async () => /job\/once +Job completed/.test(await kubectl(completed)));
  });

  test('wait: for conditions, fields, creation and deletion', async () => {
    await kubectl('wait deployment/web --for=condition=Available --timeout=60s');
    await kubectl('wait deployment/web --for=jsonpath={.status.readyReplicas}=2 --timeout=60s');
    const waiting = kubectl('wait cm/later --for=create --timeout=20s');
    await kubectl('create configmap later');
    assert.equal(await waiting, 'configmap/later condition met');
    // What is gone before it has looked once is no condition to it: it watches when it says so.
    await using gone = suite.cluster.kubectl.spawn('wait cm/later --for=delete --timeout=20s -v=6');
    await gone.waitFor(/[?&]watch=true\b/);
    await kubectl('delete cm later');
    await gone.waitFor('configmap/later condition met\n');
    assert.match(
      await refused('wait deployment/web --for=condition=None --timeout=1s'),
      /timed out waiting for the condition/,
    );
  });

  test('autoscale makes the object, and says that nothing measures', async () => {
    assert.match(await kubectl('autoscale deployment web --min=1 --max=3 --cpu-percent=50'), /autoscaled$/);
    assert.match(await kubectl('get hpa web'), /^web +Deployment\/web +cpu: <unknown>\/50% +1 +3 /m);
    assert.match(await kubectl('describe hpa web'), /^Reference: +Deployment\/web$/m);
    await kubectl(
      'wait --for=jsonpath={.status.conditions[?(@.type=="ScalingActive")].status}=False hpa/web --timeout=20s',
    );
    const told = await kubectl('describe hpa web');
    assert.match(told, /^ +AbleToScale +True +SucceededGetScale /m);
    assert.match(
      told,
      /FailedGetResourceMetric .*could not find the requested resource \(get pods\.metrics\.k8s\.io\)/,
    );
    assert.equal(
      await kubectl('get hpa web -o jsonpath={.status.currentReplicas}'),
      await kubectl('get deployment web -o jsonpath={.spec.replicas}'),
    );
  });

  test('explains, completes and proxies', async () => {
    assert.match(await kubectl('explain pod.spec.containers --recursive'), /imagePullPolicy/);
    assert.match(await kubectl('explain cronjob.spec.schedule'), /FIELD: schedule <string>/);
    assert.match(await refused('explain pod.spec.none'), /field "none" does not exist/);
    assert.match(await kubectl('__complete get deployment w'), /^web$/m);
    await using proxy = suite.cluster.kubectl.spawn('proxy --port=18001');
    await proxy.waitFor('Starting to serve');
    assert.match(await suite.cluster.bodyOf('http://127.0.0.1:18001/api/v1/namespaces/default'), /"name": ?"default"/);
  });

  test('refuses what is wrong, and says where', async () => {
    const pod = (container: object) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'wrong' },
      spec: { containers: [{ name: 'main', image: 'busybox', ...container }] },
    });
    assert.match(await refused('create -f -', pod({ imagee: 'x' })), /unknown field "spec\.containers\[0\]\.imagee"/);
    assert.match(
      await refused('create -f -', pod({ ports: [{ containerPort: 70_000 }] })),
      /spec\.containers\[0\]\.ports\[0\]\.containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive/,
    );
    assert.match(await refused('create -f -', 'kind: Pod\n'), /apiVersion not set/);
    assert.match(
      await refused('create -f -', { apiVersion: 'v9', kind: 'Pod' }),
      /no matches for kind "Pod" in version "v9"/,
    );
    assert.match(await refused('run Bad_Name --image=busybox'), /Invalid value: "Bad_Name"/);
    assert.match(await refused('scale deployment none --replicas=2'), /deployments\.apps "none" not found/);
  });

  test('delete, of one, by label, of all, and with what belongs to it', async () => {
    assert.equal(
      await kubectl('delete cm,secret literal words --ignore-not-found'),
      'configmap "literal" deleted\nsecret "words" deleted',
    );
    assert.match(await kubectl('delete cm -l set=one'), /configmap "settings" deleted/);
    await kubectl('delete deployment web --cascade=orphan');
    const sets = await kubectl('get rs -l app=web -o name');
    assert.match(sets, /^replicaset\.apps\/web-/m);
    await kubectl(`delete ${sets.split('\n').join(' ')} --cascade=foreground`);
    await until('the pods are gone', async () => (await kubectl('get pods -l app=web -o name')) === '', {
      timeoutMs: 40_000,
    });
    await kubectl('delete namespace other');
    await kubectl('delete svc --all');
    await until(
      'only the own is left, made anew',
      async () => (await kubectl('get svc -o name')) === 'service/kubernetes',
      {
        timeoutMs: 40_000,
      },
    );
  });
});
