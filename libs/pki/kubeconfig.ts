/**
 * Kubeconfig files: the one that we write, and careful changes to one that others write too.
 *
 * Reading and writing goes through YAML as upstream reads it; what is written has sorted keys, as kubectl itself
 * writes it, and no comments (kubectl keeps none either). Fields that we do not know stay as they are.
 */
import { encodeBase64 } from '../base/base64.ts';
import { decodeAny } from '../machinery/codec/json.ts';
import { encodeYaml, yamlToJson } from '../machinery/codec/yaml.ts';
import { connectionOf, type KubeconfigConnection } from './kubeconfig-connection.ts';

/** One cluster, user and context, all under one name. */
export interface KubeconfigEntry {
  /** `tutti` in the user's own file. */
  readonly name: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly caPem: string;
  /** How the user proves who they are: a certificate, or a token. */
  readonly user: { readonly certificatePem: string; readonly privateKeyPem: string } | { readonly token: string };
  readonly namespace?: string;
}

/** The file is no kubeconfig, or lacks what was asked of it. The message names the place in it. */
export class KubeconfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'KubeconfigError';
  }
}

type Fields = Record<string, unknown>;
type Named = { readonly name: string; readonly value: Fields };

/** A whole file with `entry` alone, which is its current context. */
export function buildKubeconfig(entry: KubeconfigEntry): string {
  return mergeKubeconfig(undefined, entry, { makeCurrent: true });
}

/**
 * `existing` (undefined or empty: none yet) with `entry` in place of what has its name, and everything else as it was.
 * The current context changes when there was none, or with `makeCurrent`. Throws `KubeconfigError` for a file that is
 * no kubeconfig: better no entry than a damaged file.
 */
export function mergeKubeconfig(
  existing: string | undefined,
  entry: KubeconfigEntry,
  options: { readonly makeCurrent?: boolean } = {},
): string {
  const config = existing === undefined || existing.trim() === '' ? {} : read(existing);
  const { name, server, caPem, user, namespace } = entry;
  const cluster = { server, 'certificate-authority-data': base64(caPem) };
  const credentials =
    'token' in user
      ? { token: user.token }
      : { 'client-certificate-data': base64(user.certificatePem), 'client-key-data': base64(user.privateKeyPem) };
  const context = { cluster: name, user: name, ...(namespace !== undefined && { namespace }) };
  const current = config['current-context'];
  return encodeYaml({
    ...config,
    apiVersion: 'v1',
    kind: 'Config',
    clusters: replace(config.clusters, { name, cluster }),
    users: replace(config.users, { name, user: credentials }),
    contexts: replace(config.contexts, { name, context }),
    'current-context': options.makeCurrent || !current ? name : current,
  });
}

/** `existing` without the cluster, user and context of that name. Throws `KubeconfigError`. */
export function removeFromKubeconfig(existing: string, name: string): string {
  const config = read(existing);
  const without = (list: unknown) => asList(list).filter((item) => nameOf(item) !== name);
  return encodeYaml({
    ...config,
    clusters: without(config.clusters),
    users: without(config.users),
    contexts: without(config.contexts),
    'current-context': config['current-context'] === name ? '' : config['current-context'],
  });
}

/** What a file says: its contexts by name, and which is current. */
export interface Kubeconfig {
  readonly currentContext: string | undefined;
  readonly contexts: readonly string[];
  /** How to reach a context's cluster; without `context`, the current one's. Throws `KubeconfigError`. */
  connection(context?: string): KubeconfigConnection;
}

/** Reads a kubeconfig (YAML or JSON). Throws `KubeconfigError`. */
export function parseKubeconfig(text: string): Kubeconfig {
  const config = read(text);
  const clusters = namedList(config, 'clusters', 'cluster');
  const users = namedList(config, 'users', 'user');
  const contexts = namedList(config, 'contexts', 'context');
  const find = (list: readonly Named[], what: string, name: string): Fields => {
    // Upstream takes the first of a name, too.
    const found = list.find((item) => item.name === name);
    if (!found) throw new KubeconfigError(`there is no ${what} ${JSON.stringify(name)} in the kubeconfig`);
    return found.value;
  };
  const current = config['current-context'];
  const currentContext = typeof current === 'string' && current !== '' ? current : undefined;
  return {
    currentContext,
    contexts: contexts.map(({ name }) => name),
    connection(name = currentContext) {
      if (name === undefined) throw new KubeconfigError('the kubeconfig has no current context: name one');
      const context = find(contexts, 'context', name);
      const cluster = find(clusters, 'cluster', String(context.cluster ?? ''));
      const user = context.user ? find(users, 'user', String(context.user)) : {};
      return connectionOf(name, { context, cluster, user }, (message) => new KubeconfigError(message));
    },
  };
}

function read(text: string): Fields {
  let config: unknown;
  try {
    config = decodeAny(yamlToJson(text).json);
  } catch (error) {
    throw new KubeconfigError(`the kubeconfig cannot be read: ${(error as Error).message}`);
  }
  if (!isFields(config)) throw new KubeconfigError('the kubeconfig is no mapping');
  const kind = config.kind ?? 'Config';
  if (kind !== 'Config') throw new KubeconfigError(`the kubeconfig is of kind ${JSON.stringify(kind)}, not "Config"`);
  for (const key of ['clusters', 'users', 'contexts'] as const) {
    const list = config[key];
    if (list !== undefined && list !== null && !Array.isArray(list)) {
      throw new KubeconfigError(`${key} of the kubeconfig is no list`);
    }
  }
  return config;
}

function namedList(config: Fields, key: 'clusters' | 'users' | 'contexts', inner: string): Named[] {
  return asList(config[key]).map((item, i) => {
    const name = nameOf(item);
    const value = isFields(item) ? (item[inner] ?? {}) : undefined;
    if (name === undefined || !isFields(value)) {
      throw new KubeconfigError(`${key}[${i}] of the kubeconfig wants a name and a ${inner}`);
    }
    return { name, value };
  });
}

/** The list with `item` where one of its name was (and no second one), else at the end. */
function replace(list: unknown, item: Fields & { readonly name: string }): unknown[] {
  const items = asList(list);
  const at = items.findIndex((one) => nameOf(one) === item.name);
  if (at < 0) return [...items, item];
  return items.flatMap((one, i) => (i === at ? [item] : nameOf(one) === item.name ? [] : [one]));
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const nameOf = (item: unknown): string | undefined =>
  isFields(item) && typeof item.name === 'string' ? item.name : undefined;
const base64 = (pem: string): string => encodeBase64(pem);
