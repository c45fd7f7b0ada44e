// Options of commands: from the command line and from a file, and the words that several of them take.

import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { load } from 'js-yaml';
import { parseIp } from '../../libs/machinery/ip.ts';
import type { KubeletConfig } from '../../node/kubelet/config.ts';
import { ConfigurationError, kubeletConfiguration } from '../../node/kubelet/configuration.ts';
import { DEFAULT_CGROUP_ROOT } from '../compose/end-pods.ts';
import { CommandError } from '../errors.ts';

export interface Parsed<T extends ParseArgsOptionsConfig> {
  readonly values: ReturnType<typeof parseArgs<{ options: T }>>['values'];
  readonly words: readonly string[];
}

/**
 * Reads a command line. `command` (`up`) is for the messages; `words`: how many words may stand besides options.
 * Throws `CommandError` with exit code 2.
 */
export function parseOptions<const T extends ParseArgsOptionsConfig>(
  command: string,
  args: readonly string[],
  options: T,
  words: { readonly min?: number; readonly max?: number; readonly what?: string } = {},
): Parsed<T> {
  let parsed: ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    // Node goes on about words that begin with dashes, which few mean.
    const [what = ''] = (error as Error).message.split(/\. |\n/);
    throw new CommandError(`${withoutDot(what)}; "tutti ${command} --help" lists the options.`, 2);
  }
  const { values, positionals } = parsed;
  const { min = 0, max = min, what = '' } = words;
  if (positionals.length > max) {
    throw new CommandError(`"tutti ${command}" does not take "${positionals[max]}"; see "tutti ${command} --help".`, 2);
  }
  if (positionals.length < min && !(values as { help?: boolean }).help) {
    throw new CommandError(`"tutti ${command}" wants ${what}; see "tutti ${command} --help".`, 2);
  }
  return { values: values as Parsed<T>['values'], words: positionals };
}

/** What may stand for a word in YAML. */
const WORDS: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not',
};

const withoutDot = (text: string): string => text.replace(/\.$/, '');

/** What a file of YAML holds. Throws `CommandError`. */
function loadYaml(option: string, file: string): unknown {
  try {
    return load(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const why = (code !== undefined && UNREADABLE[code]) || message.split('\n')[0];
    throw new CommandError(`${option} ${file} cannot be read: ${why}.`, 2);
  }
}

function kubeletConfigOf(file: string): Partial<KubeletConfig> {
  try {
    return kubeletConfiguration(loadYaml('--kubelet-config', file));
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CommandError(`--kubelet-config ${file}: ${error.message}.`, 2);
  }
}

/** The same names as on the command line, with values of YAML. Throws `CommandError`. */
export function readConfig<T extends ParseArgsOptionsConfig>(
  command: string,
  file: string,
  options: T,
): Parsed<T>['values'] {
  const content = loadYaml('--config', file);
  if (content === null || content === undefined) return {} as Parsed<T>['values'];
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new CommandError(`--config ${file} must hold options with values, as "port: 7443".`, 2);
  }
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(content)) {
    const option = Object.hasOwn(options, name) && name !== 'config' && name !== 'help' ? options[name] : undefined;
    if (option === undefined) {
      throw new CommandError(
        `--config ${file}: there is no option "${name}"; "tutti ${command} --help" lists them.`,
        2,
      );
    }
    if (option.type === 'boolean') {
      if (typeof value !== 'boolean') throw new CommandError(`--config ${file}: ${name} wants true or false.`, 2);
      values[name] = value;
      continue;
    }
    const all = Array.isArray(value) ? value : [value];
    if (all.some((one) => !WORDS.has(typeof one)) || (!option.multiple && all.length > 1)) {
      throw new CommandError(`--config ${file}: ${name} wants ${option.multiple ? 'words' : 'one word'}.`, 2);
    }
    values[name] = option.multiple ? all.map(String) : String(all[0]);
  }
  return values as Parsed<T>['values'];
}

/** Where a cluster, or a node's part of one, lives. */
export const dataDirOf = (text: string | undefined): string => resolve(text ?? join(homedir(), '.tutti'));

/** What a command line needs to reach what lives in a folder: nothing where it is the usual one. */
export const dataDirWords = (dataDir: string): string =>
  dataDir === dataDirOf(undefined) ? '' : ` --data-dir ${dataDir}`;

/** What every command takes that makes this machine a node, or could. */
export const NODE_OPTIONS = {
  'data-dir': { type: 'string' },
  'node-name': { type: 'string' },
  'node-ip': { type: 'string' },
  'cri-endpoint': { type: 'string' },
  'registry-mirror': { type: 'string', multiple: true },
  'cgroup-root': { type: 'string' },
  'pod-manifest-path': { type: 'string' },
  'kubelet-config': { type: 'string' },
  'keep-pods': { type: 'boolean' },
  detach: { type: 'boolean' },
  config: { type: 'string' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export interface NodeOptions {
  readonly dataDir: string;
  readonly nodeName: string;
  readonly nodeIp?: string;
  readonly criEndpoint?: string;
  readonly mirrors: ReadonlyMap<string, string>;
  readonly cgroupRoot: string;
  /** The folder of static pods; '' for none. */
  readonly staticPodPath: string;
  /** What the user's KubeletConfiguration says. */
  readonly kubelet: Partial<KubeletConfig>;
  readonly keepPods: boolean;
  readonly detach: boolean;
  readonly verbose: boolean;
}

/** Throws `CommandError`. */
export function nodeOptions(values: Parsed<typeof NODE_OPTIONS>['values']): NodeOptions {
  const { 'cri-endpoint': criEndpoint, 'pod-manifest-path': manifestPath } = values;
  return {
    dataDir: dataDirOf(values['data-dir']),
    nodeName: nodeNameOf(values['node-name'] ?? hostname().toLowerCase()),
    ...nodeIpOf(values['node-ip']),
    ...(criEndpoint !== undefined && { criEndpoint }),
    mirrors: mirrorsOf(values['registry-mirror'] ?? []),
    cgroupRoot: cgroupRootOf(values['cgroup-root'] ?? DEFAULT_CGROUP_ROOT),
    staticPodPath: manifestPath === undefined ? '' : resolve(manifestPath),
    kubelet: values['kubelet-config'] === undefined ? {} : kubeletConfigOf(values['kubelet-config']),
    keepPods: values['keep-pods'] ?? false,
    detach: values.detach ?? false,
    verbose: values.verbose ?? false,
  };
}

/** The cgroup below which pods have theirs: one slash before, none behind. */
function cgroupRootOf(text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '');
  const isPlain = path.split('/').every((part) => /^[\w.:@-]+$/.test(part) && part !== '.' && part !== '..');
  if (isPlain) return `/${path}`;
  throw new CommandError(`--cgroup-root wants the path of a cgroup, such as ${DEFAULT_CGROUP_ROOT}, not "${text}".`, 2);
}

function nodeIpOf(text: string | undefined): { readonly nodeIp?: string } {
  if (text === undefined) return {};
  if (!parseIp(text)) throw new CommandError(`--node-ip wants an address of this machine, not "${text}".`, 2);
  return { nodeIp: text };
}

export function portOf(text: string): number {
  const port = Number(text);
  if (text !== '' && Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new CommandError(`--port wants a number from 0 to 65535, not "${text}".`, 2);
}

function nodeNameOf(text: string): string {
  if (/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new CommandError(
    `"${text}" is no name for a node; give one of small letters, digits and dashes with --node-name.`,
    2,
  );
}

function mirrorsOf(all: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    all.map((text): [string, string] => {
      const [, registry, url] = /^([^=/]+)=(https?:\/\/[^/]+.*)$/.exec(text) ?? [];
      if (registry && url) return [registry, url];
      throw new CommandError(`--registry-mirror wants docker.io=http://10.0.0.5:5000, not "${text}".`, 2);
    }),
  );
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `1h30m`, `7d`, `0`: milliseconds. Throws `CommandError`. */
export function durationOf(option: string, text: string): number {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text) {
    return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS_MS[unit as string] as number), 0);
  }
  throw new CommandError(`${option} wants a duration such as 30m, 24h or 7d, not "${text}".`, 2);
}
