/** How the API server reaches the kubelet of a node. */
import type { ConnectOptions, ConnectSubresource, ConnectTarget } from '../../../libs/kind/kind.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { badRequest, notFound } from '../../../libs/machinery/errors.ts';
import { nodes } from '../../resources.ts';
import { kubeletAddress } from '../pod/connect.ts';

/** Throws `ApiError`: 404 for a node that is not there, and where it has no address. */
async function locateKubelet(registry: Registry, name: string): Promise<Omit<ConnectTarget, 'path'>> {
  const node = await registry.get(nodes, '', name);
  if (!node) throw notFound(nodes, name);
  return { kind: 'node', scheme: 'https', ...kubeletAddress(node), node: name };
}

/** `[scheme:]name[:port]`, as paths of `proxy` name things. */
export function splitProxyName(
  text: string,
  what: string,
): { readonly scheme: 'http' | 'https'; readonly name: string; readonly port: string } {
  const parts = text.split(':');
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  if (parts.length > 3 || name === '' || (scheme !== '' && scheme !== 'http' && scheme !== 'https')) {
    throw badRequest(`invalid ${what} request "${text}"`);
  }
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port };
}

/** What a `proxy` asks of the place it leads to: the rest of the path, and the query as it came. */
export function proxyPath({ path, queryText }: ConnectOptions): string {
  const escaped = encodeURIComponent(path).replace(/%(2[46BCF]|3[ABD]|40)/g, (code) => decodeURIComponent(code));
  return `/${escaped.replace(/^\//, '')}${queryText === '' ? '' : `?${queryText}`}`;
}

export const proxy: ConnectSubresource = {
  form: 'connect',
  verbs: ['get', 'create', 'update', 'patch', 'delete'],
  gvk: { group: '', version: 'v1', kind: 'NodeProxyOptions' },
  optionsType: 'core.v1.NodeProxyOptions',
  takesPath: true,
  async locate(ctx, registry, options) {
    const { name, port } = splitProxyName(ctx.attributes.name, 'node');
    const kubelet = await locateKubelet(registry, name);
    return { ...kubelet, ...(port === '' ? {} : { port: Number(port) }), path: proxyPath(options) };
  },
};
