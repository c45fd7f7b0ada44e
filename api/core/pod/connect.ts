import type { ConnectOptions, ConnectSubresource, ConnectTarget } from '../../../libs/kind/kind.ts';
import type { Live } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { badRequest, invalid, notFound } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { nodes, pods } from '../../resources.ts';
import type { Node, Pod } from '../../types/core/v1.generated.ts';

const DEFAULT_KUBELET_PORT = 10250;
/** In which order a node's addresses are tried: those that hold inside the cluster first. */
const ADDRESS_TYPES = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'Hostname'];

/** Where a node's kubelet listens. Throws `ApiError` for a node without an address. */
export function kubeletAddress(node: Live<Node>): { host: string; port: number } {
  const addresses = node.status?.addresses ?? [];
  for (const type of ADDRESS_TYPES) {
    const found = addresses.find((one) => one.type === type);
    if (found)
      return { host: found.address, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port || DEFAULT_KUBELET_PORT };
  }
  throw badRequest(`no preferred addresses found; known addresses: []`);
}

async function podOf(ctx: RequestContext, registry: Registry): Promise<Live<Pod>> {
  const { namespace, name } = ctx.attributes;
  const found = await registry.get(pods, namespace, name);
  if (!found) throw notFound(pods, name);
  return found;
}

async function onNode(registry: Registry, pod: Live<Pod>, path: string): Promise<ConnectTarget> {
  const nodeName = pod.spec?.nodeName;
  if (!nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const node = await registry.get(nodes, '', nodeName);
  if (!node) throw notFound(nodes, nodeName);
  return { kind: 'node', scheme: 'https', ...kubeletAddress(node), path, node: nodeName };
}

/** The container that is meant: the one that is named, or the only one. Throws `ApiError` for another. */
export function chooseContainer(pod: Live<Pod>, name: string): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const { name: podName } = pod.metadata;
  const all = [...containers, ...(initContainers ?? []), ...(ephemeralContainers ?? [])];
  if (name !== '') {
    if (all.some((one) => one.name === name)) return name;
    throw badRequest(`container ${name} is not valid for pod ${podName}`);
  }
  const [only] = containers;
  if (only && containers.length === 1) return only.name;
  if (containers.length === 0) throw badRequest(`a container name must be specified for pod ${podName}`);
  const names = (list: readonly { readonly name: string }[]) => `[${list.map((one) => one.name).join(' ')}]`;
  const inits =
    (initContainers ?? []).length > 0 ? ` or one of the init containers: ${names(initContainers ?? [])}` : '';
  throw badRequest(
    `a container name must be specified for pod ${podName}, choose one of: ${names(containers)}${inits}`,
  );
}

const first = (options: ConnectOptions, name: string): string => options.query.get(name)?.[0] ?? '';
const isTrue = (text: string): boolean => text === 'true' || text === '1';
const encode = (...parts: readonly (string | undefined)[]): string =>
  parts.map((part) => encodeURIComponent(part ?? '')).join('/');

const LOG_OPTIONS = ['follow', 'previous', 'timestamps', 'sinceSeconds', 'sinceTime', 'tailLines', 'limitBytes'];

function logOptionErrors(options: ConnectOptions): field.ErrorList {
  const errors: field.ErrorList = [];
  const least = (name: string, min: 0 | 1) => {
    const text = first(options, name);
    if (text === '' || !/^-?\d+$/.test(text) || Number(text) >= min) return;
    const why = min === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
    errors.push(field.invalid(name, Number(text), why));
  };
  least('tailLines', 0);
  least('limitBytes', 1);
  if (first(options, 'sinceSeconds') !== '' && first(options, 'sinceTime') !== '') {
    errors.push(field.forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  } else least('sinceSeconds', 1);
  // One stream of the two alone: off by default in this version.
  if (first(options, 'stream') !== '') errors.push(field.forbidden('stream', 'may not be specified'));
  return errors;
}

export const log: ConnectSubresource = {
  form: 'connect',
  answersText: true,
  verbs: ['get'],
  gvk: { group: '', version: 'v1', kind: 'PodLogOptions' },
  optionsType: 'core.v1.PodLogOptions',
  async locate(ctx, registry, options) {
    const errors = logOptionErrors(options);
    if (errors.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, ctx.attributes.name, errors);
    const pod = await podOf(ctx, registry);
    const container = chooseContainer(pod, first(options, 'container'));
    if (!pod.spec?.nodeName) return undefined;
    const query = new URLSearchParams();
    for (const name of LOG_OPTIONS) {
      const value = first(options, name);
      if (value !== '') query.set(name, value);
    }
    const path = `/containerLogs/${encode(pod.metadata.namespace, pod.metadata.name, container)}`;
    return onNode(registry, pod, query.size > 0 ? `${path}?${query}` : path);
  },
};

/** exec and attach: the same streams, of a new process or of the container's own. */
function streaming(what: 'exec' | 'attach', kind: string): ConnectSubresource {
  return {
    form: 'connect',
    verbs: ['create', 'get'],
    gvk: { group: '', version: 'v1', kind },
    optionsType: `core.v1.${kind}`,
    async locate(ctx, registry, options) {
      const pod = await podOf(ctx, registry);
      const container = chooseContainer(pod, first(options, 'container'));
      const query = new URLSearchParams();
      const said = (name: string, otherwise: boolean) =>
        options.query.has(name) ? isTrue(first(options, name)) : otherwise;
      if (said('stdin', false)) query.set('input', '1');
      if (said('stdout', what === 'attach')) query.set('output', '1');
      if (said('stderr', what === 'attach')) query.set('error', '1');
      if (said('tty', false)) query.set('tty', '1');
      if (what === 'exec') for (const word of options.query.get('command') ?? []) query.append('command', word);
      return onNode(registry, pod, `/${what}/${encode(pod.metadata.namespace, pod.metadata.name, container)}?${query}`);
    },
  };
}

export const exec = streaming('exec', 'PodExecOptions');
export const attach = streaming('attach', 'PodAttachOptions');

export const portforward: ConnectSubresource = {
  form: 'connect',
  verbs: ['create', 'get'],
  gvk: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
  optionsType: 'core.v1.PodPortForwardOptions',
  async locate(ctx, registry, options) {
    const pod = await podOf(ctx, registry);
    const query = new URLSearchParams();
    for (const port of options.query.get('ports') ?? []) query.append('ports', port);
    const path = `/portForward/${encode(pod.metadata.namespace, pod.metadata.name)}`;
    return onNode(registry, pod, query.size > 0 ? `${path}?${query}` : path);
  },
};
