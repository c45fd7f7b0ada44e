/** `proxy`: to one of the endpoints behind a service, as the service's ports name them. */
import type { ConnectSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { notFound, serviceUnavailable } from '../../../libs/machinery/errors.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import { services } from '../../resources.ts';
import type { Service } from '../../types/core/v1.generated.ts';
import { proxyPath, splitProxyName } from '../node/kubelet.ts';
import { placesOf, slicesOf } from './places.ts';

export const proxy: ConnectSubresource = {
  form: 'connect',
  verbs: ['get', 'create', 'update', 'patch', 'delete'],
  gvk: { group: '', version: 'v1', kind: 'ServiceProxyOptions' },
  optionsType: 'core.v1.ServiceProxyOptions',
  takesPath: true,
  async locate(ctx, registry, options) {
    const { scheme, name, port } = splitProxyName(ctx.attributes.name, 'service');
    const { namespace } = ctx.attributes;
    const service = await registry.get(services, namespace, name);
    if (!service) throw notFound(services, name);
    const portName = portNameOf(service, name, port);
    const slices = await slicesOf(registry, namespace, name);
    // Nobody has said yet where the service leads; the API tells of it as of a service that is not there.
    if (slices.length === 0) throw notFound(services, name);
    const places = placesOf(slices, portName);
    // Any will do; which one changes with time, so that none takes all.
    const place = places[Math.floor(ctx.nowMs) % Math.max(places.length, 1)];
    if (!place) throw serviceUnavailable(`no endpoints available for service ${quote(name)}`);
    return { kind: 'service', scheme, ...place, path: proxyPath(options) };
  },
};

/** Endpoints know ports by the names that they have in the service. */
function portNameOf({ spec }: DeepReadonly<Service>, name: string, text: string): string {
  const ports = spec?.ports ?? [];
  if (text === '') return ports.length === 1 ? (ports[0]?.name ?? '') : '';
  const number = Number(text);
  if (!Number.isInteger(number)) return text;
  const found = ports.find((one) => one.port === number);
  if (!found) throw serviceUnavailable(`no service port ${number} found for service ${quote(name)}`);
  return found.name ?? '';
}
