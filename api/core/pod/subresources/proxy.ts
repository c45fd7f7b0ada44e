/** `proxy`: straight to a port of the pod. */
import type { ConnectSubresource } from '../../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import { badRequest, notFound } from '../../../../libs/machinery/errors.ts';
import { isLinkLocal, isLoopback, isMulticast, isUnspecified, parseIpSloppy } from '../../../../libs/machinery/ip.ts';
import { pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { proxyPath, splitProxyName } from '../../node/kubelet.ts';

type Seen = DeepReadonly<Pod>;

export const proxy: ConnectSubresource = {
  form: 'connect',
  verbs: ['get', 'create', 'update', 'patch', 'delete'],
  gvk: { group: '', version: 'v1', kind: 'PodProxyOptions' },
  optionsType: 'core.v1.PodProxyOptions',
  takesPath: true,
  async locate(ctx, registry, options) {
    const { scheme, name, port } = splitProxyName(ctx.attributes.name, 'pod');
    const pod = (await registry.get(pods, ctx.attributes.namespace, name)) as Seen | undefined;
    if (!pod) throw notFound(pods, name);
    const host = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '';
    if (!isProxyable(host)) throw badRequest('address not allowed');
    const wanted = port === '' ? firstPort(pod) : portOf(pod, port);
    return { kind: 'pod', scheme, host, port: wanted, path: proxyPath(options) };
  },
};

/** Only a pod of this network: a status that names the server's own machine or link would lead to what users may not reach. */
export function isProxyable(host: string): boolean {
  const ip = parseIpSloppy(host);
  return ip !== undefined && !isUnspecified(ip) && !isLoopback(ip) && !isLinkLocal(ip) && !isMulticast(ip);
}

const firstPort = ({ spec }: Seen): number =>
  spec.containers.flatMap((container) => container.ports ?? [])[0]?.containerPort ?? 80;

function portOf({ spec, metadata }: Seen, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number)) return number;
  const found = spec.containers.flatMap((container) => container.ports ?? []).find(({ name }) => name === text);
  if (!found) throw badRequest(`no port named ${text} in pod ${metadata?.name}`);
  return found.containerPort;
}
