import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, nodes, pods } from '../api/resources.ts';
import { keyOf } from '../libs/kind/object.ts';
import { type Reconciler, watching } from '../libs/kind/reconciler.ts';
import { type ClusterOptions, ClusterUsageError, createCluster, type SchedulerPlugin } from './index.ts';

const pod = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'shop/web:1' }], ...more },
});

interface Copy {
  readonly type: 'copy';
  readonly reason: string;
}

/** Keeps in each ConfigMap how many keys it has. */
const counter: Reconciler<{ name: string; namespace: string; count: number; said: string | undefined }, Copy> = {
  name: 'counter',
  watches: [watching(configMaps, (map) => [keyOf(map)])],
  observe({ informers }, key) {
    const map = informers.informer(configMaps).get(key);
    if (map?.metadata.namespace !== 'default') return undefined;
    const { name, namespace = '', annotations } = map.metadata;
    return { name, namespace, count: Object.keys(map.data ?? {}).length, said: annotations?.['count'] };
  },
  plan: ({ count, said }) => ({ actions: said === String(count) ? [] : [{ type: 'copy', reason: 'tell the count' }] }),
  async apply({ client }, _action, { name, namespace, count }) {
    const patch = { metadata: { annotations: { count: String(count) } } };
    const { metadata } = await client.resource(configMaps).namespace(namespace).patch(name, patch, { type: 'merge' });
    return [{ ref: configMaps, resourceVersion: metadata.resourceVersion }];
  },
};

test('a controller of one’s own runs beside or without the others, and is in the history by its name', async () => {
  let stopped = false;
  await using cluster = await createCluster({
    seed: 1,
    components: [
      { name: 'counter', start: ({ run }) => run(counter) },
      function watcher({ stopping }) {
        stopping.addEventListener('abort', () => {
          stopped = true;
        });
        return { stop() {} };
      },
    ],
  });
  const maps = cluster.client.core.v1.configMaps('default');
  await maps.create({ metadata: { name: 'a' }, data: { x: '1', y: '2' } });
  await cluster.until('configmap/a', (map) => map.metadata.annotations?.['count'] === '2');
  const told = cluster.history().entries.find((one) => one.type === 'request' && one.user === 'counter');
  assert.equal(told?.type === 'request' ? told.cause : undefined, 'counter: tell the count');
  assert.equal(
    (await cluster.client.core.v1.serviceAccounts('default').list()).items.length,
    0,
    'nobody else is at work',
  );
  await using late = await cluster.run(function latecomer() {});
  await assert.rejects(
    cluster.run({ name: 'latecomer', start() {} }),
    /the cluster runs a component "latecomer" already/,
  );
  await late[Symbol.asyncDispose]();
  await cluster.run({ name: 'latecomer', start() {} });
  // Faults know it by its name.
  cluster.faults.pause('watcher');
  await cluster[Symbol.asyncDispose]();
  assert.equal(stopped, true);
});

test('a scheduler plugin of one’s own filters and scores beside the built-in ones', async () => {
  const quiet: SchedulerPlugin = {
    name: 'QuietNodes',
    scope: 'cluster',
    interests: [{ kind: 'Node', actions: ['update'] }],
    preFilter: ({ pod: { pod: asking }, state }) =>
      asking.metadata.labels?.['noise'] === 'none'
        ? {
            filter: (slot) =>
              state.names[slot]?.startsWith('loud')
                ? { code: 'Unschedulable', plugin: 'QuietNodes', reasons: ['node(s) were too loud'] }
                : undefined,
          }
        : undefined,
  };
  await using cluster = await createCluster({
    seed: 1,
    nodes: [{ name: 'loud-1' }, { name: 'loud-2' }],
    scheduler: { plugins: [quiet] },
  });
  await cluster.apply([pod('any'), { ...pod('quiet'), metadata: { name: 'quiet', labels: { noise: 'none' } } }]);
  await cluster.until('pod/any', (one) => one.status.phase === 'Running');
  const waiting = await cluster.until('pod/quiet', (one) =>
    one.status.conditions?.some(({ reason }) => reason === 'Unschedulable'),
  );
  assert.match(waiting.status.conditions?.[0]?.message ?? '', /2 node\(s\) were too loud/);
});

test('what is no component is told by its name', async () => {
  const boom = () => {
    throw new Error('out of steam');
  };
  for (const [options, message] of [
    [
      { components: ['schedular'] },
      /there is no component "schedular"; there are controller-manager, scheduler, and functions/,
    ],
    [{ components: ['scheduler', 'scheduler'] }, /two components are called "scheduler"/],
    [{ components: [{ name: 'scheduler', start: boom }] }, /a name of its own/],
    [{ components: [{ name: 'x' }] }, /a function "start"; "x" has not/],
    [{ components: [boom] }, /the component "boom" did not start: out of steam/],
    [{ controllers: ['deploymnt'] }, /there is no controller "deploymnt"/],
    [{ fly: true }, /createCluster has no option "fly"; it knows seed, /],
  ] as const)
    await assert.rejects(
      createCluster(options as unknown as ClusterOptions),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
      JSON.stringify(options),
    );
});

const review = (body: string, patch?: object[]) => {
  const { request } = JSON.parse(body) as { request: { uid: string; object: { metadata: { name: string } } } };
  const isAllowed = request.object.metadata.name !== 'bad';
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid: request.uid,
      allowed: isAllowed,
      ...(isAllowed ? {} : { status: { message: 'that name is taken by fate' } }),
      ...(patch && isAllowed
        ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
        : {}),
    },
  });
};
const hook = (kind: string, clientConfig: object) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name: 'hooks.example.com' },
  webhooks: [
    {
      name: 'hooks.example.com',
      clientConfig,
      rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      timeoutSeconds: 5,
    },
  ],
});

test('webhooks are answered by the test, or by a pod behind a Service', async () => {
  await using cluster = await createCluster({ seed: 1, nodes: 1 });
  const maps = cluster.client.core.v1.configMaps('default');
  {
    using _served = cluster.serve('https://hooks.example.com/', ({ body }) => review(body));
    await cluster.apply(hook('ValidatingWebhookConfiguration', { url: 'https://hooks.example.com/validate' }));
    await cluster.advance('1s');
    await maps.create({ metadata: { name: 'good' } });
    await assert.rejects(maps.create({ metadata: { name: 'bad' } }), /denied the request: that name is taken by fate/);
  }
  await assert.rejects(maps.create({ metadata: { name: 'later' } }), /failed calling webhook "hooks.example.com"/);
  await cluster.client.admissionregistration.v1.validatingWebhookConfigurations().delete('hooks.example.com');

  cluster.image('shop/hook:1', (container) =>
    container.serve(8443, ({ body }) =>
      review(body, [{ op: 'add', path: '/data', value: { by: container.pod.name } }]),
    ),
  );
  await cluster.apply([
    {
      ...pod('hook'),
      metadata: { name: 'hook', labels: { app: 'hook' } },
      spec: { containers: [{ name: 'main', image: 'shop/hook:1' }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'hook' },
      spec: { selector: { app: 'hook' }, ports: [{ port: 443, targetPort: 8443 }] },
    },
    hook('MutatingWebhookConfiguration', { service: { namespace: 'default', name: 'hook', path: '/mutate' } }),
  ]);
  await cluster.until('pod/hook', (one) =>
    one.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
  await cluster.advance('2s');
  assert.deepEqual((await maps.create({ metadata: { name: 'changed' } })).data, { by: 'hook' });
  for (const url of ['hooks', 'http://hooks.example.com/'])
    assert.throws(() => cluster.serve(url, () => ''), ClusterUsageError);
});

test('commands run in containers', async () => {
  await using cluster = await createCluster({ seed: 1, nodes: 1 });
  cluster.image('shop/web:1', (container) =>
    container.onExec(async ({ command, write, writeError }) => {
      await container.sleep(5_000);
      await write(`${command.join(' ')}\n`);
      await writeError('psst');
      return 3;
    }),
  );
  await cluster.apply(pod('web'));
  await cluster.until('pod/web', (one) => one.status.phase === 'Running');
  assert.deepEqual(await cluster.exec('web', ['echo', 'hi']), { code: 3, stdout: 'echo hi\n', stderr: 'psst' });
  await assert.rejects(
    cluster.exec('web', ['ls'], { container: 'side' }),
    /exec in pod default\/web: "side" is none of its containers \(main\)/,
  );
  await cluster.nodes[0].crash();
  await assert.rejects(cluster.exec('web', ['ls']), /"main" does not run/);
  assert.equal((await cluster.client.resource(nodes).list()).items.length, 1);
  assert.equal((await cluster.client.resource(pods).namespace('default').list()).items.length, 1);
});
