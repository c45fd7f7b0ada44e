import { ownKey, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { hasCause, isAlreadyExists } from '../../../../libs/machinery/errors.ts';
import { namespaces, serviceAccounts } from '../../../resources.ts';

/** Sees to it that every namespace has a service account `default`. */
export const serviceAccountController: Reconciler<string, { readonly type: 'create'; readonly reason: string }> = {
  name: 'serviceaccount',
  watches: [
    watching(namespaces, ownKey),
    watching(serviceAccounts, ({ metadata }) => (metadata.name === 'default' ? [metadata.namespace ?? ''] : [])),
  ],
  observe({ informers }, name) {
    const namespace = informers.informer(namespaces).get(name);
    const isThere = informers.informer(serviceAccounts).get(`${name}/default`);
    return namespace?.status?.phase === 'Active' && !namespace.metadata.deletionTimestamp && !isThere
      ? name
      : undefined;
  },
  plan: () => ({ actions: [{ type: 'create', reason: 'a namespace without its account' }] }),
  async apply({ client }, _, namespace) {
    try {
      const accounts = client.resource(serviceAccounts).namespace(namespace);
      const made = await accounts.create({ metadata: { name: 'default', namespace } });
      return [{ ref: serviceAccounts, resourceVersion: made.metadata.resourceVersion }];
    } catch (error) {
      if (!isAlreadyExists(error) && !hasCause(error, 'NamespaceTerminating')) throw error;
      return [];
    }
  },
};
