import type { Scenario } from '../../testing/explore/index.ts';
import type { Cluster, ClusterOptions } from '../../testing/index.ts';

/** The controllers that small applications need: a cluster without the others is sooner there. */
const CONTROLLERS = [
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
