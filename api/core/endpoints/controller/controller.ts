import { ownKey, type Reconciler, reading, watching } from '../../../../libs/kind/reconciler.ts';
import {
  keysOfServices,
  mattersToServices,
  podsBehind,
} from '../../../discovery/endpointslice/controller/controller.ts';
import { TriggerTimes } from '../../../discovery/endpointslice/controller/trigger-times.ts';
import { endpoints, pods, services } from '../../../resources.ts';
import { type Action, type Observed, plan } from './plan.ts';

/** Keeps the Endpoints of Services that choose pods. */
export function endpointsController(): Reconciler<Observed, Action> {
  const triggerTimes = new TriggerTimes();
  return {
    name: 'endpoint',
    watches: [
      watching(services, ownKey),
      watching(pods, keysOfServices, 0, mattersToServices),
      watching(endpoints, ownKey),
    ],
    observe(env, key) {
      const service = env.informers.informer(services).get(key);
      if (!service) triggerTimes.forget(key);
      if (!service || service.metadata.deletionTimestamp || service.spec?.type === 'ExternalName') return undefined;
      if (Object.keys(service.spec?.selector ?? {}).length === 0) return undefined;
      const chosen = podsBehind(env, service);
      return {
        service,
        pods: chosen,
        endpoints: env.informers.informer(endpoints).get(key),
        changesMs: triggerTimes.newOf(key, service, chosen),
      };
    },
    plan,
    async apply({ client }, { type, endpoints: object }) {
      const inNamespace = client.resource(endpoints).namespace(object.metadata?.namespace ?? '');
      const written = await (type === 'create' ? inNamespace.create(object) : inNamespace.update(object));
      return [{ ref: endpoints, resourceVersion: written.metadata.resourceVersion }];
    },
  };
}

/** Takes the Endpoints away whose Service has gone. */
export const orphanedEndpointsController: Reconciler<string, { readonly type: 'delete'; readonly reason: string }> = {
  name: 'orphaned-endpoints',
  watches: [watching(services, ownKey), reading(endpoints)],
  observe({ informers }, key) {
    const object = informers.informer(endpoints).get(key);
    const isOurs = object?.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller';
    return !isOurs || informers.informer(services).get(key) ? undefined : key;
  },
  plan: () => ({ actions: [{ type: 'delete', reason: 'service gone' }] }),
  async apply({ client }, _, key) {
    const [namespace = '', name = ''] = key.split('/');
    await client.resource(endpoints).namespace(namespace).delete(name);
  },
};
