import type { Cluster, ClusterOptions, Scenario } from '../../testing/index.ts';

/** The controllers that small applications need: a cluster without the others is sooner there. */
export const CONTROLLERS: readonly string[] = [
  'deployment',
  'replicaset',
  'statefulset',
  'job',
  'endpointslice',
  'disruption',
  'garbage-collector',
  'namespace',
  'node-lifecycle',
  'taint-eviction',
  'serviceaccount',
  'root-ca-certificate-publisher',
  'node-ipam-controller',
  'pod-garbage-collector',
];

const IMAGES: NonNullable<ClusterOptions['images']> = {
  'shop/web:1': { startMs: 30 },
  'shop/web:2': { pullMs: 100, startMs: 50, stopMs: 40 },
  'shop/sum:1': { exitAfterMs: 200, failureRate: 0.3 },
};

const small = (nodes: number): NonNullable<Scenario['cluster']> => ({
  nodes,
  controllers: CONTROLLERS,
  images: IMAGES,
});

const template = (app: string, image: string, more: object = {}) => ({
  metadata: { labels: { app } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }], ...more },
});

const deployment = (name: string, replicas: number, image: string, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name, image), ...more },
});

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
});

const WITHIN = { within: '20m' } as const;

const rolledOut = (cluster: Cluster, name: string, replicas: number) =>
  cluster.until(
    `deployment/${name}`,
    (d) =>
      d.status.observedGeneration === d.metadata.generation &&
      d.status.updatedReplicas === replicas &&
      d.status.replicas === replicas &&
      d.status.availableReplicas === replicas,
    WITHIN,
  );

const image = (tag: string) => ({ spec: { template: { spec: { containers: [{ name: 'main', image: tag }] } } } });

export const rollingUpdate = (nodes: number, replicas: number): Scenario => ({
  name: `a rolling update of ${replicas} pods on ${nodes} nodes`,
  cluster: small(nodes),
  async prepare(cluster) {
    await cluster.apply([deployment('web', replicas, 'shop/web:1'), service('web')]);
    await rolledOut(cluster, 'web', replicas);
    await cluster.idle({ quiet: '2s' });
  },
  async run(cluster) {
    await cluster.client.apps.v1.deployments('default').patch('web', image('shop/web:2'), { type: 'strategic' });
    await rolledOut(cluster, 'web', replicas);
  },
});

/** A node is lost for good while pods run on it. */
export const nodeLoss: Scenario = {
  name: 'a node that is lost',
  cluster: small(2),
  async prepare(cluster) {
    await cluster.apply([deployment('web', 2, 'shop/web:1'), service('web')]);
    await rolledOut(cluster, 'web', 2);
    await cluster.idle({ quiet: '2s' });
  },
  async run(cluster) {
    await cluster.nodes[1]?.crash();
    await cluster.client.core.v1.nodes().delete('node-2');
    const moved = async () => {
      const { items } = await cluster.client.core.v1.pods('default').list();
      return items.every(({ spec, metadata }) => spec?.nodeName === 'node-1' && !metadata.deletionTimestamp);
    };
    await cluster.until(moved, { ...WITHIN, what: 'all pods on node-1' });
    await rolledOut(cluster, 'web', 2);
  },
};

const statefulSet = (image: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db' },
  spec: { serviceName: 'db', replicas, selector: { matchLabels: { app: 'db' } }, template: template('db', image) },
});

const setRolledOut = (cluster: Cluster, replicas: number) =>
  cluster.until(
    'statefulset/db',
    (set) =>
      set.status.observedGeneration === set.metadata.generation &&
      set.status.updateRevision === set.status.currentRevision &&
      set.status.replicas === replicas &&
      set.status.readyReplicas === replicas,
    WITHIN,
  );

export const statefulRollout: Scenario = {
  name: 'a rollout of a StatefulSet',
  cluster: small(2),
  async prepare(cluster) {
    await cluster.apply(statefulSet('shop/web:1', 2));
    await setRolledOut(cluster, 2);
    await cluster.idle({ quiet: '2s' });
  },
  async run(cluster) {
    const sets = cluster.client.apps.v1.statefulSets('default');
    await sets.patch('db', image('shop/web:2'), { type: 'strategic' });
    await setRolledOut(cluster, 2);
  },
};

export const jobWithFailures: Scenario = {
  name: 'a Job whose pods fail',
  cluster: small(1),
  async run(cluster) {
    const spec = {
      completions: 3,
      parallelism: 2,
      backoffLimit: 1000,
      template: template('sum', 'shop/sum:1', { restartPolicy: 'Never' }),
    };
    await cluster.apply({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'sum' }, spec });
    // More than were asked for is what a pod comes to whose creation was never answered while the controller heard of nothing.
    await cluster.until('job/sum', (job) => (job.status.succeeded ?? 0) >= 3 && job.status.completionTime, WITHIN);
  },
};

export const namespaceDeletion: Scenario = {
  name: 'a namespace that is deleted',
  cluster: small(1),
  async prepare(cluster) {
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await cluster.apply([deployment('web', 2, 'shop/web:1'), service('web')], { namespace: 'shop' });
    await cluster.until('deployment/web', (d) => d.status.availableReplicas === 2, { ...WITHIN, namespace: 'shop' });
    await cluster.idle({ quiet: '2s' });
  },
  async run(cluster) {
    await cluster.client.core.v1.namespaces().delete('shop');
    const isGone = async () => {
      const { items } = await cluster.client.core.v1.namespaces().list();
      return !items.some(({ metadata }) => metadata.name === 'shop');
    };
    await cluster.until(isGone, { ...WITHIN, what: 'the end of namespace shop' });
  },
};

export const drain: Scenario = {
  name: 'a node that is drained within a budget',
  cluster: small(2),
  async prepare(cluster) {
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } } },
    };
    await cluster.apply([deployment('web', 3, 'shop/web:1'), budget]);
    await rolledOut(cluster, 'web', 3);
    await cluster.until('pdb/web', (b) => b.status.currentHealthy === 3, WITHIN);
    await cluster.idle({ quiet: '2s' });
  },
  async run(cluster) {
    const { nodes, pods } = cluster.client.core.v1;
    await nodes().patch('node-1', { spec: { unschedulable: true } }, { type: 'merge' });
    // As kubectl drain does: ask for each pod until the budget allows it.
    const isEmpty = async () => {
      const { items } = await pods('default').list({ fieldSelector: 'spec.nodeName=node-1' });
      for (const { metadata } of items.filter((pod) => !pod.metadata.deletionTimestamp)) {
        const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: metadata.name } };
        await pods('default')
          .subresource<typeof eviction>('eviction')
          .create(eviction, { name: metadata.name })
          .catch((error: { status?: { code?: number } }) => {
            if (![404, 429].includes(error.status?.code ?? 0)) throw error;
          });
      }
      return items.length === 0;
    };
    await cluster.until(isEmpty, { ...WITHIN, what: 'node-1 without pods' });
    await rolledOut(cluster, 'web', 3);
  },
};

/** Smaller first: most seeds go to them. */
export const SCENARIOS: readonly { readonly scenario: Scenario; readonly share: number }[] = [
  { scenario: rollingUpdate(1, 2), share: 4 },
  { scenario: jobWithFailures, share: 4 },
  { scenario: namespaceDeletion, share: 6 },
  { scenario: statefulRollout, share: 3 },
  { scenario: nodeLoss, share: 2 },
  { scenario: drain, share: 2 },
  { scenario: rollingUpdate(3, 3), share: 1 },
];
