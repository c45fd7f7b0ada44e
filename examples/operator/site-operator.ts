// An operator: a `Site` is an image and a number of copies; the operator keeps a Deployment for each, and says in the
// site's status what came of it. It runs in a test as it is; in a cluster, give it that cluster's client.

import { keyOf, type Live, type ObjectOf, type Reconciler, resources, watching } from 'tutti';

export interface Site {
  readonly apiVersion: 'example.com/v1';
  readonly kind: 'Site';
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string };
  readonly spec: { readonly image: string; readonly copies: number };
  readonly status?: { readonly ready: number; readonly url: string };
}

export const sites = { group: 'example.com', version: 'v1', resource: 'sites', kind: 'Site', namespaced: true };

type Action = { readonly type: 'deploy' | 'tell'; readonly reason: string; readonly ready?: number };
type Seen = { readonly site: Live<Site>; readonly deployment?: ObjectOf<typeof resources.deployments> | undefined };

export const siteOperator: Reconciler<Seen, Action> = {
  name: 'site-operator',
  watches: [
    watching(sites, (site) => [keyOf(site)]),
    // A Deployment has the name of its site.
    watching(resources.deployments, (deployment) => [keyOf(deployment)]),
  ],
  observe({ informers }, key) {
    const site = informers.informer(sites).get(key) as Live<Site> | undefined;
    return site && { site, deployment: informers.informer(resources.deployments).get(key) };
  },
  plan({ site, deployment }) {
    const { image, copies } = site.spec;
    const ready = deployment?.status?.availableReplicas ?? 0;
    const actions: Action[] = [];
    if (deployment?.spec?.replicas !== copies || deployment.spec.template.spec?.containers[0]?.image !== image)
      actions.push({ type: 'deploy', reason: deployment ? 'the site changed' : 'a new site' });
    if (site.status?.ready !== ready) actions.push({ type: 'tell', reason: 'copies came or went', ready });
    return { actions };
  },
  async apply({ client }, { type, ready }, { site }) {
    const { name, namespace = '', uid = '' } = site.metadata;
    if (type === 'tell') {
      const status = { ready, url: `http://${name}.${namespace}/` };
      const told = await client
        .resource(sites)
        .namespace(namespace)
        .subresource('status')
        .patch(name, { status }, { type: 'merge' });
      return [{ ref: sites, resourceVersion: told.metadata.resourceVersion }];
    }
    const labels = { site: name };
    const owner = { apiVersion: 'example.com/v1', kind: 'Site', name, uid, controller: true };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, ownerReferences: [owner] },
      spec: {
        replicas: site.spec.copies,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: site.spec.image }] } },
      },
    };
    const of = client.resource(resources.deployments).namespace(namespace);
    const made = await of.apply(deployment, { fieldManager: 'site-operator', force: true });
    return [{ ref: resources.deployments, resourceVersion: made.metadata.resourceVersion }];
  },
};
