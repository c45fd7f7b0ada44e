/** A Deployment of `kubia`, spread over nodes, whose pods leave a node a second after it was found dead. */
export function movable(name: string, replicas: number): object {
  const tolerations = ['not-ready', 'unreachable'].map((what) => ({
    key: `node.kubernetes.io/${what}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 1,
  }));
  const containers = [{ name: 'kubia', image: 'kubia', ports: [{ containerPort: 8080 }] }];
  const labels = { app: name };
  const skew = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' };
  const topologySpreadConstraints = [{ ...skew, labelSelector: { matchLabels: labels } }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers, tolerations, topologySpreadConstraints } },
    },
  };
}
