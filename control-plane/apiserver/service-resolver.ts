/** Where to connect to reach a Service, for whoever the API server asks by a Service's name: webhooks, extension servers. */
import { type Place, placesOf, slicesOf } from '../../api/core/service/places.ts';
import { services } from '../../api/resources.ts';
import type { Random } from '../../libs/base/random.ts';
import type { Registry } from '../../libs/kind/registry.ts';
import { quote } from '../../libs/machinery/quote.ts';

/**
 * `clusterIP`: to its address, which a kube-proxy on this machine leads on. `endpoint`: to one of its ready endpoints, for
 * machines without one.
 */
export type ServiceRouting = 'clusterIP' | 'endpoint';

/** Rejects with an Error that says why there is no place. */
export type ServiceResolver = (registry: Registry, namespace: string, name: string, port: number) => Promise<Place>;

export function serviceResolver(routing: ServiceRouting, random: Random): ServiceResolver {
  return async (registry, namespace, name, port) => {
    const service = await registry.get(services, namespace, name);
    if (!service) throw new Error(`service ${quote(name)} not found`);
    const { type, clusterIP, externalName, ports = [] } = service.spec ?? {};
    if (type === 'ExternalName' && externalName) return { host: externalName, port };
    if (routing === 'clusterIP') {
      if (!clusterIP || clusterIP === 'None') throw new Error(`service ${quote(name)} has no cluster IP`);
      return { host: clusterIP, port };
    }
    const found = ports.find((one) => one.port === port);
    if (!found) throw new Error(`no service port ${port} found for service ${quote(name)}`);
    const places = placesOf(await slicesOf(registry, namespace, name), found.name ?? '');
    if (places.length === 0) throw new Error(`no endpoints available for service ${quote(name)}`);
    return places[random.int(places.length)] as Place;
  };
}
